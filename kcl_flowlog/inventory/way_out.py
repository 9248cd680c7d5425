"""How boto3 reaches AWS: through which proxy, and which certificates it trusts.

Asks the functions that boto3 asks, so the daemon can be given the same. A mistake of the user is a `ConfigError` whose
sentence never shows the password of a proxy. Opens no connection.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

import boto3
import botocore.httpsession
import botocore.session
import botocore.utils

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, one_line

_HTTP_PORT = 80


@dataclass(frozen=True)
class Proxy:
    """A forward proxy, reached without TLS; user and password are empty if it wants none."""

    host: str
    port: int
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True)
class WayOut:
    """The way to some endpoints.

    `proxies` holds the proxy of each, None without. `no_proxy` are the names in NO_PROXY. `ca_bundle` is the file of
    certificates to trust instead of the default.
    """

    proxies: Mapping[str, Proxy | None]
    no_proxy: tuple[str, ...] = ()
    ca_bundle: Path | None = None


def service_endpoints(region: str, services: Iterable[str]) -> list[str]:
    """Return the URLs at which boto3 finds these services. Raises `ConfigError`."""
    # With keys at hand, boto3 does not look for credentials.
    session = boto3.Session("unused", "unused", region_name=region)
    try:
        return [str(session.client(service).meta.endpoint_url) for service in services]
    except (*AWS_ERRORS, ValueError) as error:
        raise ConfigError(
            f"Invalid AWS settings: {one_line(error)} Check AWS_ENDPOINT_URL and ~/.aws/config."
        ) from error


def find_way_out(endpoints: Iterable[str]) -> WayOut:
    """Return the way to these URLs. Raises `ConfigError`."""
    names = getproxies().get("no", "").split(",")
    bundle = _ca_bundle()
    return WayOut({url: _proxy(url) for url in endpoints}, tuple(filter(None, map(str.strip, names))), bundle)


def read_certificates(bundle: Path) -> list[bytes]:
    """Return the certificates of a bundle in DER. Raises `OSError`, also if boto3 could not use the file."""
    # Fails where boto3 would: it hands the file to the same function.
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(bundle)
    try:
        # Not get_ca_certs(): it leaves out a certificate that signs only itself, which boto3 trusts.
        certificates = [ssl.PEM_cert_to_DER_cert(block) for block in _blocks(bundle.read_text("latin-1"))]
    except ValueError as error:
        raise ssl.SSLError(str(error)) from error
    if not certificates:
        raise ssl.SSLError("no certificate")
    return certificates


def _blocks(text: str) -> Iterable[str]:
    for part in text.split(ssl.PEM_HEADER)[1:]:
        yield f"{ssl.PEM_HEADER}{part.partition(ssl.PEM_FOOTER)[0]}{ssl.PEM_FOOTER}"


def _proxy(endpoint: str) -> Proxy | None:
    proxies = botocore.httpsession.ProxyConfiguration(botocore.utils.get_environ_proxies(endpoint))
    url = proxies.proxy_url_for(endpoint)
    if not url:
        return None
    variable = f"{urlsplit(endpoint).scheme.upper()}_PROXY"
    if url.startswith("https:"):
        raise ConfigError(
            f"{variable} asks for TLS between here and the proxy, which the KCL can't do; give a proxy such as"
            " http://proxy.example.com:3128."
        )
    return _parsed(variable, url)


def _parsed(variable: str, url: str) -> Proxy:
    try:
        parts = urlsplit(url)
        # boto3 sends neither without the other.
        is_known = bool(parts.username and parts.password)
        user, password = (unquote(parts.username or ""), unquote(parts.password or "")) if is_known else ("", "")
        # boto3 puts http:// in front of what it does not know, such as a proxy for SOCKS.
        if (
            not parts.hostname
            or "://" in url.removeprefix("http://")
            or not (user + password).isascii()
            or not (user + password).isprintable()
        ):
            raise ValueError
        return Proxy(parts.hostname, parts.port or _HTTP_PORT, user, password)
    except ValueError:
        raise ConfigError(
            f"{variable} is not the address of a proxy such as http://proxy.example.com:3128, or"
            " http://USER:PASSWORD@proxy.example.com:3128 in ASCII."
        ) from None


def _ca_bundle() -> Path | None:
    """Return the bundle that boto3 uses, or None if it uses its own."""
    name = botocore.session.Session().get_config_variable("ca_bundle")
    name = os.environ.get("REQUESTS_CA_BUNDLE") if name is None else name
    if name is None:
        return None
    path = Path(str(name))
    try:
        read_certificates(path)
    except OSError as error:
        reason = "it holds no certificates in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"The CA bundle {str(name)!r} can't be used ({reason}); correct AWS_CA_BUNDLE.") from error
    return path
