"""The file of `--web.config.file`, in the format of the Prometheus exporter-toolkit.

Rejects every unknown key and every value that the toolkit would reject, with
a `ConfigError` that names file, line and key; also a file that sets nothing,
and an emptied section or key of TLS or users, because a file that is cut off
looks like that. Does not open the certificates that the file names, and knows
nothing of HTTP servers.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from kcl_flowlog import yaml_file
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.values import parse_count, parse_duration
from kcl_flowlog.web.rate_limit import RateLimit
from kcl_flowlog.web.tls import Tls
from kcl_flowlog.yaml_file import Section

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
class WebConfig:
    """The contents of the file; the default is plain HTTP, open to everybody.

    `users` maps user names to the bcrypt hashes of their passwords.
    """

    tls: Tls | None = None
    headers: tuple[tuple[str, str], ...] = ()
    users: Mapping[str, str] = field(default_factory=dict)
    rate_limit: RateLimit | None = None


def load(path: Path) -> WebConfig:
    """Read the file. Relative paths in it start at its directory. Raises `ConfigError`."""
    top = yaml_file.read(path).allow(("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit"))
    if not list(top):
        raise ConfigError(f"{path} sets nothing; set what it should protect, or leave --web.config.file out.")
    _refuse_blanks(top, ("tls_server_config", "basic_auth_users", "rate_limit"))
    # `http2` is accepted for files shared with other exporters; this server speaks HTTP/1.1 only.
    http = top.section("http_server_config").allow(("headers", "http2"))
    return WebConfig(
        tls=_tls(top, path.parent),
        headers=_headers(http.section("headers")),
        users=_users(top.section("basic_auth_users")),
        rate_limit=_rate_limit(top),
    )


def _refuse_blanks(section: Section, keys: tuple[str, ...]) -> None:
    for key in keys:
        if section.is_blank(key):
            raise section.error(key, "nothing follows; complete it or remove the key")


def _tls(top: Section, directory: Path) -> Tls | None:
    section = top.section("tls_server_config").allow(_TLS_KEYS)
    _refuse_blanks(section, _TLS_KEYS)
    files = {key: directory / text for key in _FILE_KEYS if (text := section.text(key))}
    client_auth = _choice(section, "client_auth_type", _CLIENT_AUTH, ssl.CERT_NONE)
    # Like the toolkit: a section with nothing but versions turns no TLS on.
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
            "tls_server_config", "client_ca_file and client_auth_type: RequireAndVerifyClientCert need each other"
        )
    if tls.min_version > tls.max_version:
        key = "min_version" if "min_version" in section else "max_version"
        raise section.error(key, "min_version is above max_version")
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
            raise section.error(name, f"cannot set this header; allowed are: {', '.join(_HEADERS)}")
        if not re.fullmatch(pattern, value, re.IGNORECASE) or not (value.isprintable() and value.isascii()):
            raise section.error(name, f"{value!r} is not a valid value of this header")
    return headers


def _rate_limit(top: Section) -> RateLimit | None:
    section = top.section("rate_limit").allow(("interval", "burst"))
    _refuse_blanks(section, ("interval", "burst"))
    found: dict[str, float] = {}
    for key, parse in (("interval", parse_duration), ("burst", parse_count)):
        try:
            found[key] = parse(section.text(key, "0"))
        except ValueError as error:
            raise section.error(key, str(error)) from None
    # Like the toolkit: without an interval there is no limit.
    if not found["interval"]:
        return None
    if not found["burst"]:
        raise top.error("rate_limit", "burst is missing or 0, so that every request would be refused")
    return RateLimit(found["interval"], int(found["burst"]))


def _users(section: Section) -> Mapping[str, str]:
    users = {name: section.text(name) for name in section}
    for name, hashed in users.items():
        if not re.fullmatch(_BCRYPT, hashed):
            raise section.error(name, "not a bcrypt hash; make one with `htpasswd -nBC 10 NAME`")
    return users
