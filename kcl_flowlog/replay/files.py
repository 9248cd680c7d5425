"""The outcomes of each file of a replay, and the lines that did not count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from kcl_flowlog.counting import outcomes
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.counting.tally import Tally
from kcl_flowlog.replay.items import line_of


class Finding(NamedTuple):
    """A log event or payload that counts for no subnet, where it is, and why.

    `letter` is its dead letter if it is malformed, and `text` is the line otherwise.
    """

    file: str
    line: int
    outcome: str
    text: str = ""
    letter: DeadLetter | None = None


class FileCounts:
    """The log events and payloads of a file by outcome, and its bad data by reason."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.payloads: Counter[str] = Counter()
        self.malformed: Counter[str] = Counter()

    @property
    def parts(self) -> tuple[Counter[str], Counter[str], Counter[str]]:
        """Log events by outcome, bad data by reason, and payloads by outcome."""
        return self.events, self.malformed, self.payloads

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to count."""
        return not self.events.total() and not self.payloads.total()

    @property
    def is_unread(self) -> bool:
        """Whether there was something, and none of it could be read; an envelope alone is not worth reading."""
        return (+(self.events or self.payloads)).keys() == {outcomes.MALFORMED}


class Files(dict[str, FileCounts]):
    """The counts of each file by its name; `on_finding` gets what counts for no subnet."""

    def __init__(self, on_finding: Callable[[Finding], object] = lambda _: None) -> None:
        super().__init__()
        self._on_finding = on_finding

    def __missing__(self, name: str) -> FileCounts:
        counts = self[name] = FileCounts()
        return counts

    def tally(self, delta: Delta, log_stream: LogStream, origin: PayloadOrigin) -> Tally:
        """Return a tally that notes the file of each log event."""
        return _FileTally(delta, log_stream, origin, self)

    def add_events(self, origin: PayloadOrigin, events: Counter[str]) -> None:
        """Note the outcomes of log events."""
        self[origin.shard_id].events.update(events)

    def add_line(self, origin: PayloadOrigin, outcome: str, line: str) -> None:
        """Note a line that is in order, but counts for no subnet."""
        self._on_finding(Finding(origin.shard_id, int(origin.position.sequence), outcome, line))

    def add_letter(self, letter: DeadLetter) -> None:
        """Note bad data."""
        self[letter.shard_id].malformed[letter.reason] += 1
        line = int(letter.sequence_number)
        self._on_finding(Finding(letter.shard_id, line, outcomes.MALFORMED, letter=letter))


def origin_in(file: str, line: int) -> PayloadOrigin:
    """Return the origin of a line of a file: in a replay, files are what shards are otherwise."""
    return PayloadOrigin(file, Position(str(line)))


class ReplayDelta(Delta):
    """A delta that hands each dead letter on at once, however many there are."""

    def __init__(self, files: Files) -> None:
        super().__init__()
        self._files = files

    def add_dead_letter(self, letter: DeadLetter, even_if_full: bool = False) -> None:
        """Hand a dead letter on."""
        self._files.add_letter(letter)


class _FileTally(Tally):
    def __init__(self, delta: Delta, log_stream: LogStream, origin: PayloadOrigin, files: Files) -> None:
        super().__init__(delta, log_stream, origin)
        self._files = files

    def add(self, outcome: str, line: str) -> None:
        """Count a log event, and note its line."""
        super().add(outcome, line)
        self._files.add_line(self.origin_of(line), outcome, line)

    def origin_of(self, event: str | bytes) -> PayloadOrigin:
        """Return the file and the line of a log event; those of an envelope have the line of the envelope."""
        return origin_in(self.origin.shard_id, line_of(event, int(self.origin.position.sequence)))

    def close(self, now: float) -> None:
        """Add the outcomes to the delta and to the file."""
        super().close(now)
        self._files.add_events(self.origin, self.events)
