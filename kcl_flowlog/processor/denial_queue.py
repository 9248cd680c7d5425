"""Denials on their way to the launcher, which writes them to its stdout.

Promises that each denial is either delivered or counted as held back, and that a line of the log says so now and then.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kcl_flowlog.commits.messages import Denials, Messenger
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.processor.denial_forms import MakeLine
from kcl_flowlog.processor.denial_limit import DenialLimit

_DENIALS_PER_MESSAGE = 500
# A payload of megabytes may hold more than this; most payloads are delivered as a whole, after they were counted.
_MAX_DENIALS = 10_000
_MAX_BYTES = 4_000_000
_SECONDS_BETWEEN_WARNINGS = 60.0


class DenialQueue:
    """Gathers denials, to deliver many at once. `clock` tells Unix seconds, `monotonic` measures durations."""

    def __init__(
        self,
        shard_id: str,
        messenger: Messenger,
        make_line: MakeLine,
        limit: DenialLimit,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._shard_id = shard_id
        self._messenger = messenger
        self._make_line = make_line
        self._limit = limit
        self._clock = clock
        self._monotonic = monotonic
        self._lines: list[msgspec.Raw] = []
        self._bytes = 0
        # Since the last `take_held_back`, and since the last warning.
        self._held_back = 0
        self._not_warned_of = 0
        self._warned_at = -_SECONDS_BETWEEN_WARNINGS

    def add(self, denial: Denial) -> None:
        """Add a denial, or hold it back if there were too many lately; deliver if they take too much memory."""
        if not self._limit.allows():
            self._held_back += 1
            self._not_warned_of += 1
            return
        line = self._make_line(denial, self._clock())
        self._lines.append(line)
        self._bytes += memoryview(line).nbytes
        if len(self._lines) >= _MAX_DENIALS or self._bytes >= _MAX_BYTES:
            self.deliver()

    def deliver_if_many(self) -> None:
        """Deliver if there are enough denials for a message."""
        if len(self._lines) >= _DENIALS_PER_MESSAGE:
            self.deliver()

    def deliver(self) -> None:
        """Return once the launcher has written all denials added so far, except those that were held back."""
        if self._lines:
            self._messenger.request(Denials(self._lines))
            self._lines = []
            self._bytes = 0

    def take_held_back(self) -> int:
        """Return how many denials were held back since the last call."""
        held_back, self._held_back = self._held_back, 0
        return held_back

    def warn(self) -> None:
        """Log how many denials were held back since the last warning, at most once a minute."""
        now = self._monotonic()
        if self._not_warned_of and now - self._warned_at >= _SECONDS_BETWEEN_WARNINGS:
            self._messenger.log(
                "warning",
                "Denials held back: more than --log-deny.rate and --log-deny.burst allow",
                shard_id=self._shard_id,
                denials=self._not_warned_of,
            )
            self._not_warned_of = 0
            self._warned_at = now
