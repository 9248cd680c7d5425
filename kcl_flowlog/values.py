"""Turn the text of a setting into its value: durations, sizes, ports, addresses.

Pure, and knows no setting by name. Each function takes the text as the user
wrote it and returns a value of its final type. Text that it can't use is a
`ValueError` whose message quotes the text: "'soon' is not a duration such as
10s, 5m or 24h". The caller puts the place in front and the full stop behind.
`host_and_port` and the text of a `PeerUrl` are the way back.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

Number = TypeVar("Number", int, float)

TRAFFIC_LABELS = ("protocol", "peer", "path", "interface_type")
DENIAL_FORMS = ("json", "ecs", "ocsf")

_LONGEST_TAG_KEY = 128
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "": 1,
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", start=1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", start=1)},
}
_ON = ("true", "t", "yes", "y", "on", "1")
_OFF = ("false", "f", "no", "n", "off", "0")


def parse_duration(text: str) -> float:
    """Return the seconds of a duration: `90`, `500ms`, `90s`, `1.5m`, `24h` or `1d`."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", text.strip())
    if match is None or match[2] not in _SECONDS:
        raise ValueError(f"{text!r} is not a duration such as 10s, 5m or 24h")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size(text: str) -> int:
    """Return the bytes of a size: `4096`, `64MiB`, `1.5GiB` or `100MB`, in any case; a MiB has 2^20, a MB 10^6."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _BYTES:
        raise ValueError(f"{text!r} is not a size such as 512KiB, 64MiB or 1GiB")
    return int(float(match[1]) * _BYTES[match[2]]) if "." in match[1] else int(match[1]) * _BYTES[match[2]]


def parse_count(text: str) -> int:
    """Return a whole number, 0 or more."""
    if not re.fullmatch(r"[0-9]+", text.strip()):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def at_least(minimum: str, parse: Callable[[str], Number]) -> Callable[[str], Number]:
    """Return `parse` with a lower bound, which is written as a user would write it."""

    def parse_bounded(text: str) -> Number:
        value = parse(text)
        if value < parse(minimum):
            raise ValueError(f"{text!r} is less than the minimum of {minimum}")
        return value

    return parse_bounded


def parse_switch(text: str) -> bool:
    """Return True for `true`, `yes`, `on` or `1`, False for their opposites, in any case."""
    word = text.strip().lower()
    if word not in (*_ON, *_OFF):
        raise ValueError(f"{text!r} is neither `true` nor `false`")
    return word in _ON


def parse_denial_form(text: str) -> str:
    """Return one of `DENIAL_FORMS`, the first for a switch that is on, empty for one that is off."""
    word = text.strip().lower()
    if word in DENIAL_FORMS:
        return word
    if word not in (*_ON, *_OFF):
        raise ValueError(f"{text!r} is not one of: {', '.join(DENIAL_FORMS)}, on, off")
    return DENIAL_FORMS[0] if word in _ON else ""


def one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    """Return a function that accepts the choices only."""

    def parse_choice(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of: {', '.join(choices)}")
        return text

    return parse_choice


def parse_text(text: str) -> str:
    """Return the text as it stands."""
    return text


def parse_name(text: str) -> str:
    """Return the name of a Kinesis stream or a DynamoDB table."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", text):
        raise ValueError(f"{text!r} is not a name of 1 to 128 letters, digits, `_`, `.` and `-`")
    return text


def parse_stream(text: str) -> str:
    """Return the name or the ARN of a Kinesis stream, of any partition."""
    if not text.startswith("arn:"):
        return parse_name(text)
    if not re.fullmatch(r"arn:aws[a-z0-9-]*:kinesis:[a-z0-9-]+:[0-9]{12}:stream/[A-Za-z0-9_.-]{1,128}", text):
        raise ValueError(f"{text!r} is not the ARN of a stream such as arn:aws:kinesis:REGION:123456789012:stream/NAME")
    return text


def parse_path(text: str) -> Path:
    """Return a path; a leading `~` is the user's home."""
    # Unlike Path's method, this function leaves `~name` of an unknown user unchanged.
    return Path(os.path.expanduser(text))


def parse_optional_path(text: str) -> Path | None:
    """Return a path, or None if the text is empty."""
    return parse_path(text) if text else None


def parse_url_path(text: str) -> str:
    """Return the path of a web page."""
    if not re.fullmatch(r"/[\w./-]+", text) or text.startswith("/-/"):
        raise ValueError(f"{text!r} is not a path that starts with `/`, and not with `/-/`")
    return text


def parse_listen_address(text: str) -> tuple[str, int]:
    """Return the host and the port of `[HOST]:PORT`; an empty host means all addresses."""
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"{text!r} is not an address of the form [HOST]:PORT")
    return host.strip("[]"), int(port)


def host_and_port(host: str, port: int) -> str:
    """Return `HOST:PORT`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class PeerUrl(NamedTuple):
    """Where other instances answer; with `is_dns`, an instance answers at each address of the host."""

    host: str
    port: int
    path: str = ""
    is_tls: bool = False
    is_dns: bool = False

    def __str__(self) -> str:
        scheme = ("dns+" if self.is_dns else "") + ("https" if self.is_tls else "http")
        return f"{scheme}://{host_and_port(self.host, self.port)}{self.path}"


def parse_peer(text: str) -> PeerUrl:
    """Return a URL such as `http://host:10514` or `dns+https://host:10514`; a path in front of the pages may follow."""
    # Not above: the health check starts every few seconds, and has no use for it.
    from urllib.parse import urlsplit

    if "@" in text:
        # The text is not quoted, as it may hold a password, which need not fit a URL.
        raise ValueError("a URL with a user would show the password to others; put both into a file")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    dns, plus, scheme = url.scheme.rpartition("+")
    is_known = scheme in ("http", "https") and (dns, plus) in (("", ""), ("dns", "+"))
    is_plain = re.fullmatch("[!-~]+", text) and not url.query and not url.fragment
    if not is_known or not is_plain or not url.hostname or port == 0:
        raise ValueError(f"{text!r} is not a URL such as http://host:10514 or dns+http://host:10514")
    is_tls = scheme == "https"
    return PeerUrl(url.hostname, port or (443 if is_tls else 80), url.path.rstrip("/"), is_tls, bool(dns))


def parse_ports(text: str) -> frozenset[str]:
    """Return the ports of a comma-separated list, each in decimal."""
    ports = _items(text)
    for port in ports:
        if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
            raise ValueError(f"{port!r} is not a port from 1 to 65535")
    return frozenset(ports)


def parse_traffic_labels(text: str) -> tuple[str, ...]:
    """Return the labels of a comma-separated list, in the order of `TRAFFIC_LABELS`."""
    labels = _items(text)
    for label in labels:
        if label not in TRAFFIC_LABELS:
            raise ValueError(f"{label!r} is not one of: {', '.join(TRAFFIC_LABELS)}")
    return tuple(label for label in TRAFFIC_LABELS if label in labels)


def parse_subnet_tags(text: str) -> tuple[str, ...]:
    """Return the keys of a comma-separated list of tags; no two of them may have one label."""
    keys: dict[str, str] = {}
    for key in _items(text):
        if len(key) > _LONGEST_TAG_KEY:
            raise ValueError(f"{key!r} is longer than a key of AWS, {_LONGEST_TAG_KEY} characters")
        other = keys.setdefault(tag_label(key), key)
        if other != key:
            raise ValueError(f"{other!r} and {key!r} would both be the label {tag_label(key)}")
    return tuple(keys.values())


def tag_label(key: str) -> str:
    """Return the label that shows a tag: `tag_` and its key, in lower case, with `_` for all but a-z, 0-9 and `_`."""
    return "tag_" + re.sub(r"[^a-z0-9_]", "_", key.lower())


def parse_initial_position(text: str) -> datetime | Literal["now", "trim-horizon"]:
    """Return where to start in the stream; a time without a zone is UTC."""
    if text == "now" or text == "trim-horizon":
        return text  # type: ignore[return-value]
    try:
        moment = datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", text))
    except ValueError:
        raise ValueError(f"{text!r} is neither `now`, `trim-horizon` nor a time such as 2026-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def parse_words(text: str) -> tuple[str, ...]:
    """Return the words of a command line, split as a shell splits them."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise ValueError(f"{text!r} has an unclosed quote or a trailing backslash") from None


def parse_log_group_pattern(text: str) -> str:
    """Return a glob of names of log groups, perhaps with a `!` in front."""
    if not re.fullmatch(r"!?[A-Za-z0-9_./#*?\[\]-][]A-Za-z0-9_./#*?\[!-]{0,511}", text):
        raise ValueError(f"{text!r} is not a pattern of log groups such as /vpc/* or !/vpc/test")
    return text


def parse_property(text: str) -> tuple[str, str]:
    """Return the key and the value of `KEY=VALUE`."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not key or not equals:
        raise ValueError(f"{text!r} is not of the form KEY=VALUE")
    return key, value


def _items(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
