"""The outcomes of the log events of one envelope, added to a delta at the end."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable

from kcl_flowlog.counting import counts, dead_letter, outcomes
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.positions import PayloadOrigin


class Tally:
    """Counts the outcomes of log events, and the ends of their records; `close` adds them to the delta."""

    def __init__(self, delta: Delta, log_stream: LogStream, origin: PayloadOrigin) -> None:
        self.delta = delta
        self.log_stream = log_stream
        self.origin = origin
        self.events: Counter[str] = Counter()
        # Of the records, in Unix seconds; 0 if missing.
        self.ends: list[int] = []

    def add(self, outcome: str, line: str) -> None:
        """Count a log event that counts for no subnet."""
        self.events[outcome] += 1

    def add_malformed(self, line: str, reason: str) -> None:
        """Count a log event as malformed, and keep its line as a dead letter."""
        letter = dead_letter.from_text(line, dead_letter.LINE, reason, self.origin_of(line), self.log_stream)
        self._add_malformed(letter)

    def add_malformed_event(self, event: bytes, reason: str) -> None:
        """Count a log event as malformed, and keep its JSON as a dead letter."""
        self._add_malformed(dead_letter.from_raw_event(event, reason, self.origin_of(event), self.log_stream))

    def origin_of(self, event: str | bytes) -> PayloadOrigin:
        """Return where a log event comes from: its payload."""
        return self.origin

    def close(self, now: float) -> None:
        """Add the outcomes to the delta, and the delay of each record that has an end."""
        for outcome, number in self.events.items():
            self.delta.add(counts.EVENTS, outcome, number)
        if any(self.ends):
            self._observe_delays(sorted(filter(None, self.ends)), now)

    def _observe_delays(self, ends: list[int], now: float) -> None:
        """Sort delays into buckets by looking up the bounds among the ends, which are far more."""
        at_most = [len(ends) - bisect_left(ends, now - bound) for bound in counts.BOUNDS[counts.EVENT_DELAY]]
        # What ends in the future has no delay.
        past = ends[: bisect_right(ends, now)]
        self.delta.observe_many(counts.EVENT_DELAY, at_most, len(ends), len(past) * now - sum(past))

    def _add_malformed(self, letter: DeadLetter) -> None:
        self.events[outcomes.MALFORMED] += 1
        self.delta.add(counts.MALFORMED, letter.reason)
        self.delta.add_dead_letter(letter)


MakeTally = Callable[[Delta, LogStream, PayloadOrigin], Tally]
"""Makes the tally of some events of a log stream."""
