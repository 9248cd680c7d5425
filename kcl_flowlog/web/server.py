"""The web server of an instance: address, pages and web configuration, in threads of the launcher.

No client, however slow or silent, holds up a scrape or a stop. Knows nothing
of what the pages contain. An address or a web configuration that can't be
used is a `ConfigError` of `start`; later nothing is raised.
"""

from __future__ import annotations

import threading

from kcl_flowlog.web.cheroot_server import CherootServer
from kcl_flowlog.web.listening import listen
from kcl_flowlog.web.pages import Application, Pages
from kcl_flowlog.web.scrapes import Scrapes
from kcl_flowlog.web.web_config_keeper import WebConfigKeeper

CLIENT_TIMEOUT = 5.0
"""How long a client may be silent, in seconds: between requests, in a handshake, or within a request."""

STOP_TIMEOUT = 2.0
"""How long requests may go on after a stop, in seconds."""


class WebServer:
    """The web server. Does nothing before `start`.

    `address` is host and port: an empty host means all addresses, port 0 any free port. `web_config_file` is the path
    of the file with TLS, headers and users; it may be empty.
    """

    def __init__(
        self,
        address: tuple[str, int],
        pages: Pages,
        web_config_file: str = "",
        client_timeout: float = CLIENT_TIMEOUT,
        stop_timeout: float = STOP_TIMEOUT,
    ) -> None:
        self._address = address
        self._pages = pages
        self._web_config = WebConfigKeeper(web_config_file)
        self._client_timeout = client_timeout
        self._stop_timeout = stop_timeout
        self._scrapes = Scrapes()
        self._server: CherootServer | None = None
        self._thread: threading.Thread | None = None
        self._has_tls = False

    def start(self) -> None:
        """Listen, and serve from now on. Raises `ConfigError`."""
        web_config = self._web_config
        self._has_tls = web_config.current().context is not None
        self._server = server = CherootServer(
            listen(*self._address),
            Application(self._pages, lambda: web_config.current().config, self._scrapes),
            lambda: web_config.current().context,
            self._client_timeout,
            self._stop_timeout,
        )
        is_prepared = threading.Event()
        # cheroot's threads inherit `daemon` from this thread, so that none keeps the process alive.
        self._thread = threading.Thread(target=_serve, args=(server, is_prepared), name="web", daemon=True)
        self._thread.start()
        is_prepared.wait()

    def stop(self) -> None:
        """Close all connections and end all threads; requests may go on for `stop_timeout`. Harmless if not started."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
        self._server = self._thread = None

    @property
    def port(self) -> int:
        """The port, also if 0 was given."""
        return self._address[1] if self._server is None else int(self._server.bind_addr[1])

    @property
    def url(self) -> str:
        """The URL of the metrics, for a person on this host."""
        host = self._address[0] or "localhost"
        if ":" in host:
            host = f"[{host}]"
        return f"{'https' if self._has_tls else 'http'}://{host}:{self.port}{self._pages.telemetry_path}"

    @property
    def scrapes_answered(self) -> int:
        """How many scrapes of the whole metrics page were sent to their last byte."""
        return self._scrapes.answered

    def next_scrape(self) -> threading.Event:
        """Return an event that is set once a scrape that begins after this call was sent to its last byte."""
        return self._scrapes.next()


def _serve(server: CherootServer, is_prepared: threading.Event) -> None:
    try:
        server.prepare()
    finally:
        is_prepared.set()
    server.serve()
