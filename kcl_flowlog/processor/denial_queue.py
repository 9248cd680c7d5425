"""Denials on their way to the launcher, which writes them to its stdout."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kcl_flowlog.commits.messages import Denials, Messenger
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.processor.denials import denial_line

_DENIALS_PER_MESSAGE = 500
# A payload of megabytes may hold more than this; most payloads are delivered as a whole, after they were counted.
_MAX_DENIALS = 10_000
_MAX_BYTES = 4_000_000


class DenialQueue:
    """Gathers denials, to deliver many at once."""

    def __init__(self, messenger: Messenger, clock: Callable[[], float]) -> None:
        self._messenger = messenger
        self._clock = clock
        self._lines: list[msgspec.Raw] = []
        self._bytes = 0

    def add(self, denial: Denial) -> None:
        """Add a denial; deliver if they take too much memory."""
        line = denial_line(denial, self._clock())
        self._lines.append(line)
        self._bytes += memoryview(line).nbytes
        if len(self._lines) >= _MAX_DENIALS or self._bytes >= _MAX_BYTES:
            self.deliver()

    def deliver_if_many(self) -> None:
        """Deliver if there are enough denials for a message."""
        if len(self._lines) >= _DENIALS_PER_MESSAGE:
            self.deliver()

    def deliver(self) -> None:
        """Return once the launcher has written all denials added so far."""
        if self._lines:
            self._messenger.request(Denials(self._lines))
            self._lines = []
            self._bytes = 0
