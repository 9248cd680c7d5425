"""The web server of an instance: address, pages and web configuration, in threads of the launcher.

No client, however slow, silent or hostile, holds up a scrape or a stop. Knows
nothing of what the pages contain. An address or a web configuration that
can't be used is a `ConfigError` of `start`; later nothing is raised.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import threading
from contextlib import suppress

from kcl_flowlog.values import host_and_port
from kcl_flowlog.web.connection import Service
from kcl_flowlog.web.listening import listen
from kcl_flowlog.web.occasional_warning import OccasionalWarning
from kcl_flowlog.web.open_connections import Limits, OpenConnections
from kcl_flowlog.web.pages import Application, Pages
from kcl_flowlog.web.scrapes import Scrapes
from kcl_flowlog.web.serving import Serving
from kcl_flowlog.web.web_config_keeper import WebConfigKeeper

log = logging.getLogger(__name__)

CLIENT_TIMEOUT = 5.0
"""How long a client may take, in seconds: to be silent between requests, for a TLS handshake, for a whole request."""

ANSWER_TIMEOUT = 60.0
"""How long a whole answer may take, in seconds, from the end of the request to its last byte."""

STOP_TIMEOUT = 2.0
"""How long answers may go on after a stop, in seconds."""

# Only a file system that hangs under the web config file can hold up the event loop for that long.
_STOP_MARGIN = 5.0

_MAX_CONNECTIONS = 256
_MIN_CONNECTIONS = 4
_MAX_PAGE_BYTES = 16 * 1024 * 1024
# The launcher needs descriptors for its ledger and its processors, too.
_SHARE_OF_DESCRIPTORS = 4


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
        answer_timeout: float = ANSWER_TIMEOUT,
        stop_timeout: float = STOP_TIMEOUT,
    ) -> None:
        self._address = address
        self._pages = pages
        self._web_config = WebConfigKeeper(web_config_file)
        self._client_timeout = client_timeout
        self._answer_timeout = answer_timeout
        self._stop_timeout = stop_timeout
        self._scrapes = Scrapes()
        self._running: _Running | None = None
        self._has_tls = False

    def start(self) -> None:
        """Listen, and serve from now on. Raises `ConfigError`."""
        web_config, warn = self._web_config, OccasionalWarning()
        self._has_tls = web_config.current().context is not None
        listening = listen(*self._address)
        application = Application(self._pages, lambda: web_config.current().config, self._scrapes)
        service = Service(
            application.answer,
            lambda: web_config.current().context,
            OpenConnections(_limits(), warn),
            self._client_timeout,
            self._answer_timeout,
        )
        self._running = _Running(listening, Serving(service, self._stop_timeout, warn), application)

    def stop(self) -> None:
        """Close all connections; answers may go on for `stop_timeout`. Harmless if not started."""
        if self._running is not None:
            self._running.stop()
        self._running = None

    @property
    def port(self) -> int:
        """The port, also if 0 was given."""
        return self._address[1] if self._running is None else self._running.port

    @property
    def url(self) -> str:
        """The URL of the metrics, for a person on this host."""
        place = host_and_port(self._address[0] or "localhost", self.port)
        return f"{'https' if self._has_tls else 'http'}://{place}{self._pages.telemetry_path}"

    @property
    def scrapes_answered(self) -> int:
        """How many scrapes of the whole metrics page were sent to their last byte."""
        return self._scrapes.answered

    def next_scrape(self) -> threading.Event:
        """Return an event that is set once a scrape that begins after this call was sent to its last byte."""
        return self._scrapes.next()


class _Running:
    """A started server: its event loop and the thread of that."""

    def __init__(self, listening: socket.socket, serving: Serving, application: Application) -> None:
        self.port: int = listening.getsockname()[1]
        self._listening = listening
        self._serving = serving
        self._application = application
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        # No thread keeps the process alive.
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        # The loop is closed already if the server was stopped before.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(self._serving.stop_timeout + _STOP_MARGIN)
        if self._thread.is_alive():
            log.warning("The web server does not stop, perhaps because its files can't be read; going on without it")

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serving.run(self._listening, self._stop))
        finally:
            self._application.stop()
            self._loop.close()


def _limits() -> Limits:
    """Return the limits for this process. A network gets half of the connections at most."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = _MAX_CONNECTIONS
    if descriptors != resource.RLIM_INFINITY:
        connections = min(connections, max(descriptors // _SHARE_OF_DESCRIPTORS, _MIN_CONNECTIONS))
    return Limits(connections, connections // 2, _MAX_PAGE_BYTES)
