"""Denials on their way to the launcher, which writes them to its stdout."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kcl_flowlog.commits.messages import Denials, Messenger
from kcl_flowlog.counting.payload import Denial
from kcl_flowlog.processor.denials import denial_line

_DENIALS_PER_MESSAGE = 500


class DenialQueue:
    """Gathers denials, to deliver many at once."""

    def __init__(self, messenger: Messenger, clock: Callable[[], float]) -> None:
        self._messenger = messenger
        self._clock = clock
        self._lines: list[msgspec.Raw] = []

    def add(self, denial: Denial) -> None:
        """Add a denial."""
        self._lines.append(denial_line(denial, self._clock()))

    def deliver_if_many(self) -> None:
        """Deliver if there are enough denials for a message."""
        if len(self._lines) >= _DENIALS_PER_MESSAGE:
            self.deliver()

    def deliver(self) -> None:
        """Return once the launcher has written all denials added so far."""
        if self._lines:
            self._messenger.request(Denials(self._lines))
            self._lines = []
