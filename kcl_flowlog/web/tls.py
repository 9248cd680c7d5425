"""TLS as the section `tls_server_config` asks for it.

Knows no YAML and no SSL library, which `tls_context` does; raises nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kcl_flowlog.web.pem import Pem

VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
"""The versions of TLS, oldest first."""

OLDEST_VERSION = "TLS12"
"""The oldest version that this server speaks: OpenSSL offers no older versions at its usual level of security."""

TLS12_SUITES: Mapping[str, str] = {
    f"TLS_ECDHE_{kind}_WITH_{suite}": f"ECDHE-{kind}-{name}"
    for suite, name in {
        "AES_128_GCM_SHA256": "AES128-GCM-SHA256",
        "AES_256_GCM_SHA384": "AES256-GCM-SHA384",
        "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305",
        "AES_128_CBC_SHA": "AES128-SHA",
        "AES_256_CBC_SHA": "AES256-SHA",
    }.items()
    for kind in ("ECDSA", "RSA")
}
"""The cipher suites of TLS 1.2, with OpenSSL's names."""

TLS13_SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""The cipher suites of TLS 1.3, which are always on."""

CURVES: Mapping[str, str] = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
"""The curves, with OpenSSL's names."""

CLIENT_AUTH_TYPES = (
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
)
"""The values of `client_auth_type`."""


class ClientCertificates(enum.Enum):
    """What the server demands of clients. A certificate that is given is always verified."""

    IGNORED = enum.auto()
    OPTIONAL = enum.auto()
    REQUIRED = enum.auto()


@dataclass(frozen=True)
class Tls:
    """The certificates and rules of TLS, by the names of the file."""

    cert: Pem
    key: Pem
    client_ca: Pem | None = None
    client_auth_type: str = "NoClientCert"
    client_allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    curve_preferences: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True

    @property
    def pems(self) -> list[Pem]:
        """All certificates and keys."""
        return [self.cert, self.key, *([self.client_ca] if self.client_ca is not None else [])]

    @property
    def files(self) -> list[Path]:
        """Every file that the context is made from."""
        return [pem.file for pem in self.pems if pem.file is not None]

    @property
    def client_certificates(self) -> ClientCertificates:
        """What the server demands of clients: never less than the file asks for."""
        if self.client_auth_type in ("NoClientCert", "RequestClientCert"):
            return ClientCertificates.IGNORED
        if self.client_auth_type == "VerifyClientCertIfGiven" and not self.client_allowed_sans:
            return ClientCertificates.OPTIONAL
        # Also with RequireAnyClientCert: Python's TLS can't demand a certificate without verifying it.
        return ClientCertificates.REQUIRED
