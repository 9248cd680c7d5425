"""The file of `--web.config.file`, in the format of the Prometheus exporter-toolkit.

Rejects every unknown key and every value that the toolkit would reject, with
a `ConfigError` that names file, line and key; also a file that sets nothing,
and an emptied section or key of TLS or users, because a file that is cut off
looks like that. Does not open the certificates that the file names, and knows
nothing of HTTP servers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kcl_flowlog import yaml_file
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.values import parse_count, parse_switch
from kcl_flowlog.web.go_duration import parse_go_duration
from kcl_flowlog.web.rate_limit import RateLimit
from kcl_flowlog.web.shortfall import Shortfall
from kcl_flowlog.web.tls import Tls
from kcl_flowlog.web.tls_section import read_tls
from kcl_flowlog.web.web_config_keys import WEB_CONFIG_KEYS
from kcl_flowlog.yaml_file import Section

_HEADERS = {
    "strict-transport-security": r".*",
    "x-content-type-options": r"nosniff",
    "x-frame-options": r"deny|sameorigin",
    "x-xss-protection": r".*",
    "content-security-policy": r".*",
}
_NO_HTTP2 = Shortfall("http2", "This server speaks HTTP/1.1 only; clients that prefer HTTP/2 use HTTP/1.1")
_BCRYPT = r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}"


@dataclass(frozen=True)
class WebConfig:
    """The contents of the file; the default is plain HTTP, open to everybody.

    `users` maps user names to the bcrypt hashes of their passwords. `shortfalls` are those outside TLS.
    """

    tls: Tls | None = None
    headers: tuple[tuple[str, str], ...] = ()
    users: Mapping[str, str] = field(default_factory=dict)
    rate_limit: RateLimit | None = None
    shortfalls: tuple[Shortfall, ...] = ()


def load(path: Path) -> WebConfig:
    """Read the file. Relative paths in it start at its directory. Raises `ConfigError`."""
    top = yaml_file.read(path).allow(WEB_CONFIG_KEYS)
    if not list(top):
        raise ConfigError(f"{path} sets nothing; set what it should protect, or leave --web.config.file out.")
    top.refuse_blanks(("tls_server_config", "basic_auth_users", "rate_limit"))
    http = top.section("http_server_config").allow(WEB_CONFIG_KEYS["http_server_config"])
    has_http2 = http.parsed("http2", parse_switch, "true")
    return WebConfig(
        tls=read_tls(top, path.parent, has_http2),
        headers=_headers(http.section("headers")),
        users=_users(top.section("basic_auth_users")),
        rate_limit=_rate_limit(top),
        shortfalls=(_NO_HTTP2,) if has_http2 and "http2" in http else (),
    )


def _headers(section: Section) -> tuple[tuple[str, str], ...]:
    for name in section:
        pattern, value = _HEADERS.get(name.lower()), section.text(name)
        if pattern is None:
            raise section.error(name, f"cannot set this header; allowed are: {', '.join(_HEADERS)}")
        if not re.fullmatch(pattern + "|", value, re.IGNORECASE) or not (value.isprintable() and value.isascii()):
            raise section.error(name, f"{value!r} is not a valid value of this header")
    return tuple((name, section.text(name)) for name in section if not section.is_blank(name))


def _rate_limit(top: Section) -> RateLimit | None:
    keys = WEB_CONFIG_KEYS["rate_limit"]
    section = top.section("rate_limit").allow(keys)
    section.refuse_blanks(keys)
    interval = section.parsed("interval", parse_go_duration, "0")
    burst = section.parsed("burst", parse_count, "0")
    # Like the toolkit: without an interval there is no limit.
    if not interval:
        return None
    if not burst:
        raise top.error("rate_limit", "burst is missing or 0, so that every request would be refused")
    return RateLimit(interval, burst)


def _users(section: Section) -> Mapping[str, str]:
    users = {name: section.text(name) for name in section}
    for name, hashed in users.items():
        if not re.fullmatch(_BCRYPT, hashed):
            raise section.error(name, "not a bcrypt hash; make one with `htpasswd -nBC 10 NAME`")
    return users
