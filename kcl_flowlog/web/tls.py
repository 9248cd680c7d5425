"""TLS: the settings of `tls_server_config`, and the SSL context made from them.

Raises `ConfigError` if a file is missing or does not fit. Knows nothing of
YAML or HTTP.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from kcl_flowlog.errors import ConfigError

_OPTION = "--web.config.file"


@dataclass(frozen=True)
class Tls:
    """The files and versions of TLS, and whether clients need a certificate."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    client_auth: ssl.VerifyMode = ssl.CERT_NONE
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3

    @property
    def files(self) -> list[Path]:
        """Every file that the context is made from."""
        return [file for file in (self.cert_file, self.key_file, self.client_ca_file) if file is not None]


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Read the certificates and return a server's context. Raises `ConfigError`."""
    _check_readable(tls)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = tls.min_version, tls.max_version
    context.set_alpn_protocols(["http/1.1"])
    # `OSError` includes `ssl.SSLError`, and a file that vanished since it was checked.
    try:
        # With a password given, OpenSSL does not ask for an encrypted key's password on the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except OSError:
        raise ConfigError(
            f"{_OPTION}: {tls.cert_file} and {tls.key_file} are not a certificate and its unencrypted key in PEM form."
        ) from None
    if tls.client_ca_file is not None:
        try:
            context.load_verify_locations(tls.client_ca_file)
        except OSError:
            raise ConfigError(f"{_OPTION}: {tls.client_ca_file} holds no certificates in PEM form.") from None
    context.verify_mode = tls.client_auth
    return context


def _check_readable(tls: Tls) -> None:
    """OpenSSL's own errors don't name the file."""
    for file in tls.files:
        try:
            file.open("rb").close()
        except OSError as error:
            raise ConfigError(f"{_OPTION}: cannot read {file}: {error.strerror}.") from None
