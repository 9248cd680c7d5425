"""The HTTP server beside the daemon: threads of the launcher that serve the pages.

Promises that no client can keep the others waiting for long: a connection
that says nothing is closed after a few seconds, and a TLS handshake never
happens in the accept loop. The web configuration file and the certificates
are looked at again with every request, so that they can be renewed without a
restart; a file that has become unusable is told once, and the last good one
goes on.

The home of cheroot. An address that can't be used is a `ConfigError`.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cheroot import wsgi

from kcl_flowlog import tls, webconfig
from kcl_flowlog.basicauth import BasicAuth
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.pages import TEXT, Application, Pages, StartResponse
from kcl_flowlog.webconfig import WebConfig

log = logging.getLogger(__name__)

# Seconds that a connection may say nothing. Prometheus gives up after ten by default.
_PATIENCE = 5
_THREADS = 32


class Sidecar:
    """Serves `pages` on `address`, a host (empty for all) and a port (0 for any free one)."""

    def __init__(self, address: tuple[str, int], pages: Pages, web_config_file: str = "") -> None:
        self._application = Application(pages)
        self._guard = _Guard(self._application, _LiveWebConfig(web_config_file))
        self._server = _listening(address, self._guard)
        self._thread: threading.Thread | None = None
        self.port: int = self._server.bind_addr[1]
        scheme = "https" if self._guard.adapter is not None else "http"
        host = address[0] or "localhost"
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{scheme}://{shown}:{self.port}{pages.telemetry_path}"

    @property
    def scrapes_answered(self) -> int:
        """How many metrics pages were sent to their end."""
        return self._application.scrapes_answered

    def start(self) -> None:
        """Serve, in threads."""
        self._thread = threading.Thread(target=self._server.serve, name="sidecar", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no more, and leave no socket."""
        self._server.stop()
        if self._thread is not None:
            self._thread.join()


class _LiveWebConfig:
    """The web configuration as its file says now."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._lock = threading.Lock()
        self._stamps: tuple[tuple[int, int] | None, ...] = ()
        self._config = WebConfig()
        if self._path is not None:
            self._config = webconfig.load(self._path)
            self._stamps = self._now()

    def current(self) -> tuple[WebConfig, bool]:
        """Return the configuration, and whether a file of it has changed since the last call."""
        with self._lock:
            stamps = self._now()
            if stamps == self._stamps:
                return self._config, False
            self._stamps = stamps
            assert self._path is not None  # noqa: S101 - without a file no stamp changes
            try:
                self._config = webconfig.load(self._path)
            except ConfigError as error:
                log.warning("The changed web configuration is not used: %s", error)
                return self._config, False
            self._stamps = self._now()
            return self._config, True

    def _now(self) -> tuple[tuple[int, int] | None, ...]:
        if self._path is None:
            return ()
        certificates = self._config.tls.files if self._config.tls is not None else ()
        return tuple(_stamp(path) for path in (self._path, *certificates))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


class _Guard:
    """The application behind the web configuration: its headers, its users, its certificates."""

    def __init__(self, application: Application, live: _LiveWebConfig) -> None:
        self._application = application
        self._live = live
        self._auth = BasicAuth()
        config, _ = live.current()
        self.adapter = tls.LazyTlsAdapter(config.tls) if config.tls is not None else None

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        config, changed = self._live.current()
        if changed:
            self._renew(config)

        def start(status: str, headers: list[tuple[str, str]]) -> Any:
            return start_response(status, [*headers, *config.headers.items()])

        if config.users and not self._auth.admits(environ.get("HTTP_AUTHORIZATION", ""), config.users):
            start("401 Unauthorized", [("Content-Type", TEXT), ("WWW-Authenticate", 'Basic realm="kcl-flowlog"')])
            return [b"A user name and a password are needed.\n"]
        return self._application(environ, start)

    def _renew(self, config: WebConfig) -> None:
        """Use new certificates from the next connection on."""
        if self.adapter is None or config.tls is None:
            return
        try:
            tls.load(self.adapter.context, config.tls)
        except ConfigError as error:
            log.warning("The changed certificates are not used: %s", error)
        else:
            log.info("The web configuration was read anew")


class _Server(wsgi.Server):
    """cheroot's server, with its complaints about clients in our log."""

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log what cheroot would print; mostly clients that went away."""
        log.debug("%s", msg, exc_info=traceback)


def _listening(address: tuple[str, int], guard: _Guard) -> Any:
    host, port = address
    hosts = (host,) if host else (("::", "0.0.0.0") if socket.has_ipv6 else ("0.0.0.0",))  # noqa: S104 - as asked
    problem: OSError | None = None
    for candidate in hosts:
        server = _Server((candidate, port), guard, numthreads=_THREADS, server_name="kcl-flowlog", timeout=_PATIENCE)
        server.ssl_adapter = guard.adapter
        try:
            server.prepare()
        except OSError as error:
            problem = error
            continue
        return server
    raise ConfigError(f"--web.listen-address {host}:{port} can't be used: {problem}.") from problem
