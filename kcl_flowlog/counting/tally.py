"""The outcomes of the log events of one envelope, added to a delta at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

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
        # Records by their end, in Unix seconds.
        self.ends: Counter[int] = Counter()

    def add(self, outcome: str, line: str) -> None:
        """Count a log event that counts for no subnet."""
        self.events[outcome] += 1

    def add_counted(self, ends: Sequence[int]) -> None:
        """Count flow records that count for a subnet, by their ends."""
        self.events[outcomes.COUNTED] += len(ends)
        self.ends.update(ends)

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
        for end, number in self.ends.items():
            if end:
                self.delta.observe(counts.EVENT_DELAY, max(0.0, now - end), number)

    def _add_malformed(self, letter: DeadLetter) -> None:
        self.events[outcomes.MALFORMED] += 1
        self.delta.add(counts.MALFORMED, letter.reason)
        self.delta.add_dead_letter(letter)


MakeTally = Callable[[Delta, LogStream, PayloadOrigin], Tally]
"""Makes the tally of some events of a log stream."""
