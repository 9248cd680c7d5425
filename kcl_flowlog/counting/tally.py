"""The outcomes of the log events of one envelope, added to a delta at the end."""

from __future__ import annotations

from collections import Counter

from kcl_flowlog.counting import counts, dead_letter, outcomes
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

    def add_malformed(self, text: str, reason: str, kind: str = dead_letter.LINE) -> None:
        """Count a log event as malformed, and keep it as a dead letter."""
        self.events[outcomes.MALFORMED] += 1
        self.delta.add(counts.MALFORMED, reason)
        self.delta.add_dead_letter(dead_letter.from_text(text, kind, reason, self.origin, self.log_stream))

    def close(self, now: float) -> None:
        """Add the outcomes to the delta, and the delay of each record that has an end."""
        for outcome, number in self.events.items():
            self.delta.add(counts.EVENTS, outcome, number)
        for end, number in self.ends.items():
            if end:
                self.delta.observe(counts.EVENT_DELAY, max(0.0, now - end), number)
