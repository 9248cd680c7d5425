"""Accepts connections, also if the process or the machine has no file descriptor left.

Then it has the slowest connection closed, and goes on once a descriptor is
free or after a moment: a socket that stays readable must not occupy the CPU.
Belongs to the event loop's thread. Knows nothing of HTTP; never raises.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from kcl_flowlog.web.occasional_warning import OccasionalWarning

# Afterwards the connections that are open have their turn.
_ACCEPTED_AT_ONCE = 32
_RETRY_AFTER = 0.5


class Acceptor:
    """Hands new connections to `admit`, with their client's address. `free_one` closes a connection soon, if it can."""

    def __init__(
        self,
        listening: socket.socket,
        admit: Callable[[socket.socket, str], None],
        free_one: Callable[[], object],
        warn: OccasionalWarning,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._listening = listening
        self._admit = admit
        self._free_one = free_one
        self._warn = warn
        self._loop = loop
        self._retry: asyncio.TimerHandle | None = None
        listening.setblocking(False)

    def start(self) -> None:
        """Accept from now on."""
        self._loop.add_reader(self._listening, self._accept)

    def resume(self) -> None:
        """Accept again, if this waits for a descriptor: one has become free."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
            self.start()

    def stop(self) -> None:
        """Accept nothing any more, and close the listening socket."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connected, address = self._listening.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                # The client has closed already.
                continue
            except OSError as error:
                self._pause(error)
                return
            self._admit(connected, str(address[0]))

    def _pause(self, error: OSError) -> None:
        self._warn("Cannot accept a connection; trying again", error=str(error))
        self._loop.remove_reader(self._listening)
        self._retry = self._loop.call_later(_RETRY_AFTER, self.resume)
        self._free_one()
