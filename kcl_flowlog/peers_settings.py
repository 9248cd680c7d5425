"""The settings of the way to other instances: rows of the table in `kcl_flowlog.config`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kcl_flowlog import values
from kcl_flowlog.setting import optional_file, repeatable, setting
from kcl_flowlog.stream_settings import StreamSettings
from kcl_flowlog.values import at_least


@dataclass(frozen=True, kw_only=True)
class PeersSettings(StreamSettings):
    """Whom to ask who sent what, whom of them to trust, and how to be trusted by them."""

    peers: tuple[values.PeerUrl, ...] = repeatable(
        flag="--peers",
        group="Peers",
        parse=values.parse_peer,
        metavar="URL",
        help="Other instances that /who asks for what they know: http:// or https:// with host and port, or dns+http://kcl-flowlog:10514 for all addresses of a name. Repeatable; the instance itself may be among them. Default: /who tells of this instance only.",
    )
    peers_timeout: float = setting(
        flag="--peers-timeout",
        group="Peers",
        default="3s",
        parse=at_least("100ms", values.parse_duration),
        metavar="TIME",
        help="How long /who waits for all peers together.",
    )
    peers_ca: Path | None = optional_file(
        flag="--peers-ca",
        group="Peers",
        help="Certificate authorities to trust for https://. Default: those of the system.",
    )
    peers_client_cert: Path | None = optional_file(
        flag="--peers-client-cert",
        group="Peers",
        help="Client certificate to show to peers whose web config requires one.",
    )
    peers_client_key: Path | None = optional_file(
        flag="--peers-client-key",
        group="Peers",
        help="Key of --peers-client-cert. Default: in the same file.",
    )
    peers_credentials: Path | None = optional_file(
        flag="--peers-credentials",
        group="Peers",
        help="File with one line user:password, for peers whose web config has users. Every peer gets it, over http:// in clear text.",
    )
