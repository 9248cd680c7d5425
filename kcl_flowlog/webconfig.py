"""The file of `--web.config.file`: TLS, headers and basic-auth users.

Its form is that of Prometheus' exporter-toolkit ("Web configuration"), as far
as it makes sense here; a key that is not supported is refused. Paths in it
are relative to the directory that it stands in. What can't be used is a
`ConfigError`.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from kcl_flowlog import yamlfile
from kcl_flowlog.yamlfile import Section

_T = TypeVar("_T")

_TLS_KEYS = ("cert_file", "key_file", "client_ca_file", "client_auth_type", "min_version", "max_version")
_HTTP_KEYS = ("headers", "http2")
# `http2` may be there and says nothing: this server speaks HTTP/1.1.
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH = {"NoClientCert": ssl.CERT_NONE, "RequireAndVerifyClientCert": ssl.CERT_REQUIRED}


@dataclass(frozen=True)
class Tls:
    """What the server's TLS is made of."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    client_auth: ssl.VerifyMode = ssl.CERT_NONE
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it is read from."""
        return (self.cert_file, self.key_file, *((self.client_ca_file,) if self.client_ca_file else ()))


@dataclass(frozen=True)
class WebConfig:
    """The whole file. `users` maps a name to a bcrypt hash; nobody needs a password where it is empty."""

    tls: Tls | None = None
    headers: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)


def load(path: Path) -> WebConfig:
    """Return the configuration in a file."""
    top = yamlfile.read(path).allow(("tls_server_config", "http_server_config", "basic_auth_users"))
    headers = top.section("http_server_config").allow(_HTTP_KEYS).section("headers")
    return WebConfig(
        tls=_tls(top, path.parent),
        headers={name: headers.text(name) for name in headers},
        users=_users(top.section("basic_auth_users")),
    )


def _tls(top: Section, directory: Path) -> Tls | None:
    if "tls_server_config" not in top:
        return None
    section = top.section("tls_server_config").allow(_TLS_KEYS)
    for name in ("cert_file", "key_file"):
        if not section.text(name):
            raise top.error("tls_server_config", f"{name} is missing")
    client_ca = section.text("client_ca_file")
    client_auth = _choice(section, "client_auth_type", _CLIENT_AUTH, ssl.CERT_NONE)
    if client_auth is ssl.CERT_REQUIRED and not client_ca:
        raise section.error("client_auth_type", "client_ca_file has to say whose certificates are good")
    return Tls(
        directory / section.text("cert_file"),
        directory / section.text("key_file"),
        directory / client_ca if client_ca else None,
        client_auth,
        _choice(section, "min_version", _VERSIONS, ssl.TLSVersion.TLSv1_2),
        _choice(section, "max_version", _VERSIONS, ssl.TLSVersion.MAXIMUM_SUPPORTED),
    )


def _choice(section: Section, name: str, choices: dict[str, _T], default: _T) -> _T:
    if name not in section:
        return default
    text = section.text(name)
    if text not in choices:
        raise section.error(name, f"{text!r} is not one of: {', '.join(choices)}")
    return choices[text]


def _users(section: Section) -> dict[str, str]:
    users = {name: section.text(name) for name in section}
    for name, hashed in users.items():
        if not re.fullmatch(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}", hashed):
            raise section.error(name, "the password has to be a bcrypt hash, such as `htpasswd -nBC 10 NAME` makes")
    return users
