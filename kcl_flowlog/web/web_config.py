"""The file of `--web.config.file`, in the form of the Prometheus exporter-toolkit.

Promises that what it returns is whole: every key is known, every file that
it names can be used. Knows nothing of HTTP servers. Fails
with a `ConfigError` that names file, line and key; once a file has been read,
a later broken state of it is a warning, and the last good one holds.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from kcl_flowlog import yaml_file
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.yaml_file import Section

log = logging.getLogger(__name__)

_OPTION = "--web.config.file"
_FILE_KEYS = ("cert_file", "key_file", "client_ca_file")
_TLS_KEYS = (*_FILE_KEYS, "client_auth_type", "min_version", "max_version")
_CLIENT_AUTH = {"NoClientCert": ssl.CERT_NONE, "RequireAndVerifyClientCert": ssl.CERT_REQUIRED}
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_HEADERS = {
    "strict-transport-security": r".*",
    "x-content-type-options": r"nosniff",
    "x-frame-options": r"deny|sameorigin",
    "x-xss-protection": r".*",
    "content-security-policy": r".*",
}
_BCRYPT = r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}"

T = TypeVar("T")


@dataclass(frozen=True)
class Tls:
    """How connections are encrypted, and whether clients need certificates."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    client_auth: ssl.VerifyMode = ssl.CERT_NONE
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3

    @property
    def files(self) -> list[Path]:
        """The files that it is made from."""
        return [file for file in (self.cert_file, self.key_file, self.client_ca_file) if file is not None]


@dataclass(frozen=True)
class WebConfig:
    """What the file says. Without a file: plain HTTP, open to all.

    `users` maps the names of users to the bcrypt hashes of their passwords.
    """

    tls: Tls | None = None
    headers: tuple[tuple[str, str], ...] = ()
    users: Mapping[str, str] = field(default_factory=dict)


def load(path: Path) -> WebConfig:
    """Read the file; paths in it are relative to its directory. Certificates are not looked at yet."""
    top = yaml_file.read(path).allow(("tls_server_config", "http_server_config", "basic_auth_users"))
    # `http2` is for servers that speak it; ours is as good without.
    http = top.section("http_server_config").allow(("headers", "http2"))
    return WebConfig(
        tls=_tls(top, path.parent),
        headers=_headers(http.section("headers")),
        users=_users(top.section("basic_auth_users")),
    )


def _tls(top: Section, directory: Path) -> Tls | None:
    section = top.section("tls_server_config").allow(_TLS_KEYS)
    files = {key: directory / text for key in _FILE_KEYS if (text := section.text(key))}
    client_auth = _choice(section, "client_auth_type", _CLIENT_AUTH, ssl.CERT_NONE)
    # The toolkit, too, takes a section that only narrows versions for no TLS.
    if not files and client_auth is ssl.CERT_NONE:
        return None
    for key in ("cert_file", "key_file"):
        if key not in files:
            raise top.error("tls_server_config", f"{key} is missing")
    tls = Tls(
        **files,
        client_auth=client_auth,
        min_version=_choice(section, "min_version", _VERSIONS, ssl.TLSVersion.TLSv1_2),
        max_version=_choice(section, "max_version", _VERSIONS, ssl.TLSVersion.TLSv1_3),
    )
    if (tls.client_ca_file is not None) != (tls.client_auth is ssl.CERT_REQUIRED):
        raise top.error(
            "tls_server_config", "client_ca_file goes with client_auth_type RequireAndVerifyClientCert, and back"
        )
    if tls.min_version > tls.max_version:
        raise section.error("min_version" if "min_version" in section else "max_version", "no version is left")
    return tls


def _choice(section: Section, key: str, choices: Mapping[str, T], default: T) -> T:
    text = section.text(key)
    if text and text not in choices:
        raise section.error(key, f"{text!r} is not one of: {', '.join(choices)}")
    return choices.get(text, default)


def _headers(section: Section) -> tuple[tuple[str, str], ...]:
    headers = tuple((name, section.text(name)) for name in section)
    for name, value in headers:
        pattern = _HEADERS.get(name.lower())
        if pattern is None:
            raise section.error(name, f"this header can't be set; those that can are {', '.join(_HEADERS)}")
        if not re.fullmatch(pattern, value, re.IGNORECASE) or not (value.isprintable() and value.isascii()):
            raise section.error(name, f"this header can't have the value {value!r}")
    return headers


def _users(section: Section) -> Mapping[str, str]:
    users = {name: section.text(name) for name in section}
    for name, hashed in users.items():
        if not re.fullmatch(_BCRYPT, hashed):
            raise section.error(name, "this is not a bcrypt hash, such as `htpasswd -nBC 10 NAME` makes")
    return users


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return the context that serves `tls`."""
    for file in tls.files:
        try:
            file.open("rb").close()
        except OSError as error:
            raise ConfigError(f"{_OPTION}: {file} can't be read: {error.strerror}.") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = tls.min_version, tls.max_version
    context.set_alpn_protocols(["http/1.1"])
    try:
        # With a password at hand, OpenSSL doesn't ask the terminal for that of an encrypted key.
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except ssl.SSLError:
        raise ConfigError(
            f"{_OPTION}: {tls.cert_file} and {tls.key_file} are not a certificate and its unencrypted key, as PEM."
        ) from None
    if tls.client_ca_file is not None:
        try:
            context.load_verify_locations(tls.client_ca_file)
        except ssl.SSLError:
            raise ConfigError(f"{_OPTION}: {tls.client_ca_file} holds no certificates, as PEM.") from None
    context.verify_mode = tls.client_auth
    return context


@dataclass(frozen=True)
class Web:
    """A configuration together with the TLS context made from it, None for plain HTTP."""

    config: WebConfig
    context: ssl.SSLContext | None


class WebConfigKeeper:
    """Holds what the file says, and reads it again once it or a certificate has changed.

    `path` may be empty: then nothing is read. Fails only where it is made; afterwards a broken change is one warning
    in the log, and what held before holds on.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._lock = threading.Lock()
        self._stamps: dict[Path, _Stamp] = {}
        self._web = self._read()

    def current(self) -> Web:
        """Return what holds now."""
        with self._lock:
            if any(_stamp(file) != stamp for file, stamp in self._stamps.items()):
                try:
                    self._web = self._read()
                    log.info("%s has been read again", self._path)
                except ConfigError as error:
                    log.warning("%s What was read before still holds.", error)
            return self._web

    def _read(self) -> Web:
        if self._path is None:
            return Web(WebConfig(), None)
        # The stamps are taken first: what changes while it is read counts as changed. They cover all that the
        # outcome, be it an error, depends on.
        self._stamps = {self._path: _stamp(self._path)}
        config = load(self._path)
        if config.tls is None:
            return Web(config, None)
        self._stamps |= {file: _stamp(file) for file in config.tls.files}
        return Web(config, tls_context(config.tls))


_Stamp = tuple[int, ...]


def _stamp(file: Path) -> _Stamp:
    try:
        status = os.stat(file)
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
