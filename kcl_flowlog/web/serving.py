"""Serves clients on a listening socket, from a start to a stop, as a coroutine.

No client, however slow or silent, holds up another client or the stop. Knows
nothing of pages; never raises.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial

from kcl_flowlog.web.acceptor import Acceptor
from kcl_flowlog.web.client_socket import ClientSocket
from kcl_flowlog.web.connection import Connection, Service
from kcl_flowlog.web.occasional_warning import OccasionalWarning
from kcl_flowlog.web.open_connections import OpenConnection, network_of


class Serving:
    """Serves until `stop` is set; then answers may go on for `stop_timeout` seconds."""

    def __init__(self, service: Service, stop_timeout: float, warn: OccasionalWarning) -> None:
        self._service = service
        self.stop_timeout = stop_timeout
        self._warn = warn
        self._tasks: set[asyncio.Task[None]] = set()
        self._when_closed: Callable[[], None] = lambda: None

    async def run(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Accept and serve, and close everything after `stop`."""
        connections, loop = self._service.connections, asyncio.get_running_loop()
        acceptor = Acceptor(listening, self._admit, connections.close_one, self._warn, loop)
        acceptor.start()
        self._when_closed = acceptor.resume
        await stop.wait()
        acceptor.stop()
        connections.stop()
        for timeout in (self.stop_timeout, None):
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=timeout)
            for task in self._tasks:
                task.cancel()

    def _admit(self, connected: socket.socket, host: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            client = ClientSocket(connected)
        except OSError:
            # The client has gone already.
            connected.close()
            return
        entry = OpenConnection(network_of(host), lambda: task.cancel(), loop.time())
        task = loop.create_task(Connection(self._service, client, host, entry).run())
        self._tasks.add(task)
        # Not in the task, as a task that is cancelled before it begins does nothing.
        task.add_done_callback(partial(self._dismiss, client, entry))
        self._service.connections.add(entry)

    def _dismiss(self, client: ClientSocket, entry: OpenConnection, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._service.connections.remove(entry)
        client.close()
        self._when_closed()
