"""Tells Java the way to AWS that boto3 takes: options for a proxy and for trusted certificates.

What the AWS library for Java can't do is a `ConfigError`. It has one proxy for all requests, which it reads from the
properties of plain HTTP whatever the scheme of an endpoint. It takes the names in http.nonProxyHosts as regular
expressions in which only `*` is replaced, and knows no ports there.

Through a proxy, two of its threads race: one builds the handlers of a connection while another already reads from it.
If the first message of HTTP/2 comes before its handler, the KCL never gets a connection to Kinesis. So one thread
serves all connections.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.way_out import Proxy, WayOut, read_certificates
from kcl_flowlog.launcher.trust_store import jks

_HOST = re.compile(r"[a-z0-9_.:\[\]-]+")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")


class JavaWayOut:
    """The options that Java reads from the file `arguments`, and the certificates in `trust_store`.

    On its command line everybody could see the password of a proxy.
    """

    def __init__(self, way_out: WayOut, arguments: Path, trust_store: Path) -> None:
        """Raises `ConfigError`."""
        self._arguments = arguments
        self._trust_store = trust_store
        self._bundle = way_out.ca_bundle
        self._properties = proxy_properties(way_out)
        if self._bundle is not None:
            self._properties |= {"javax.net.ssl.trustStore": str(trust_store), "javax.net.ssl.trustStoreType": "JKS"}

    @property
    def option(self) -> str:
        """The option that makes Java read the file; an option that follows wins, so the user's come later."""
        return f"@{self._arguments}"

    def write(self, write: Callable[[Path, bytes], None]) -> None:
        """Write both files, the certificates as the bundle holds them now. Raises `OSError`."""
        if self._bundle is not None:
            write(self._trust_store, jks(read_certificates(self._bundle)))
        options = (f"-D{name}={value}" for name, value in self._properties.items())
        quoted = (option.replace("\\", "\\\\").replace('"', '\\"') for option in options)
        write(self._arguments, "".join(f'"{option}"\n' for option in quoted).encode())


def without_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that Java reads in another way than boto3."""
    return {name: value for name, value in environ.items() if name.lower() not in _PROXY_VARIABLES}


def proxy_properties(way_out: WayOut) -> dict[str, str]:
    """Return the properties with which Java takes the same proxy for the same hosts. Raises `ConfigError`."""
    used = {proxy for proxy in way_out.proxies.values() if proxy is not None}
    if not used:
        return {}
    if len(used) > 1:
        raise ConfigError(
            f"The KCL can use only one proxy, but {_listed(way_out)}; give HTTPS_PROXY and HTTP_PROXY the same value."
        )
    [proxy] = used
    direct = {_host(url) for url, through in way_out.proxies.items() if through is None}
    patterns = dict.fromkeys([*map(re.escape, sorted(direct)), *_patterns(way_out.no_proxy)])
    for url, through in way_out.proxies.items():
        if through is not None and any(_bypasses(pattern, _host(url)) for pattern in patterns):
            raise ConfigError(
                f"The KCL can't tell endpoints of one host apart, but only some on {_host(url)} go through the proxy"
                f" {proxy}; name the host in NO_PROXY without a port, or not at all."
            )
    properties = {
        "http.proxyHost": proxy.host,
        "http.proxyPort": str(proxy.port),
        # The library's threads race for a connection through a proxy.
        "io.netty.eventLoopThreads": "1",
    }
    if patterns:
        properties["http.nonProxyHosts"] = "|".join(patterns)
    if proxy.user:
        properties |= {"http.proxyUser": proxy.user, "http.proxyPassword": proxy.password}
    return properties


def _patterns(no_proxy: Iterable[str]) -> Iterable[str]:
    """Yield what stands in http.nonProxyHosts for the names of NO_PROXY: each name, and all hosts below it.

    A name with a port concerns only endpoints that are known, and one with a `*` concerns no host.
    """
    for name in no_proxy:
        host = name.lower().lstrip(".")
        if _HOST.fullmatch(host) and not re.search(r":[0-9]+$", host):
            yield from (re.escape(host), f"*\\.{re.escape(host)}")


def _bypasses(pattern: str, host: str) -> bool:
    return re.fullmatch(pattern.replace("*", ".*?"), host) is not None


def _host(url: str) -> str:
    netloc = urlsplit(url).netloc.lower()
    return re.sub(r":[0-9]*$", "", netloc)


def _listed(way_out: WayOut) -> str:
    ways: dict[Proxy, str] = {}
    for url, proxy in way_out.proxies.items():
        if proxy is not None:
            ways.setdefault(proxy, url)
    return " and ".join(f"{url} needs {proxy}" for proxy, url in ways.items())
