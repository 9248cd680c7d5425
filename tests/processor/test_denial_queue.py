"""Denials are held until there are enough for a message, and never without a bound; too many are held back."""

from __future__ import annotations

from kcl_flowlog.commits.messages import Denials, Log
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.processor.denial_forms import line_maker
from kcl_flowlog.processor.denial_limit import DenialLimit
from kcl_flowlog.processor.denial_queue import DenialQueue
from tests.processor.test_denials import NOW, RECORD
from tests.support.clocks import FakeClock
from tests.support.processors import FakeMessenger

DENIAL = Denial(RECORD, None)


class Fixture:
    """A queue with fakes."""

    def __init__(self, rate: int = 0, burst: int = 1000) -> None:
        self.messenger = FakeMessenger()
        self.monotonic = FakeClock(50.0)
        self.denials = DenialQueue(
            "shardId-1",
            self.messenger,
            line_maker("json", Formats()),
            DenialLimit(rate, burst, self.monotonic),
            lambda: NOW,
            self.monotonic,
        )

    def add(self, number: int) -> int:
        """Add denials; return how many were written."""
        before = self.messenger.denials
        for _ in range(number):
            self.denials.add(DENIAL)
        self.denials.deliver()
        return self.messenger.denials - before

    @property
    def warnings(self) -> list[dict[str, str]]:
        """The fields of each warning."""
        return [message.fields for message in self.messenger.of_kind(Log)]


def test_the_denials_of_a_large_payload_are_delivered_while_it_is_counted() -> None:
    """By number, and by size."""
    fixture = Fixture()

    for _ in range(10_001):
        fixture.denials.add(DENIAL)
    for _ in range(99):
        fixture.denials.add(Denial(RECORD._replace(reject_reason="x" * 65_000), None))

    assert [10_000, 63] == [len(message.lines) for message in fixture.messenger.of_kind(Denials)]


def test_without_a_rate_nothing_is_held_back() -> None:
    """As before there was a limit."""
    fixture = Fixture(rate=0, burst=1)

    assert 3000 == fixture.add(3000)
    assert 0 == fixture.denials.take_held_back()


def test_a_limit_lets_a_burst_through_and_then_a_rate() -> None:
    """An hour without denials saves up for one burst, not for several."""
    fixture = Fixture(rate=10, burst=25)

    written = [fixture.add(100)]
    for seconds in (0.0, 0.5, 1.0, 3600.0):
        fixture.monotonic.now += seconds
        written.append(fixture.add(100))

    assert [25, 0, 5, 10, 25] == written
    assert 500 - sum(written) == fixture.denials.take_held_back()
    assert 0 == fixture.denials.take_held_back()


def test_half_a_line_is_saved_up_and_not_written() -> None:
    """Else each moment would let a line through."""
    fixture = Fixture(rate=1, burst=1)

    written = [fixture.add(10)]
    for _ in range(4):
        fixture.monotonic.now += 0.5
        written.append(fixture.add(10))

    assert [1, 0, 1, 0, 1] == written


def test_a_burst_that_was_not_used_up_does_not_grow() -> None:
    """Each moment counts once, whether the burst was used up or not."""
    fixture = Fixture(rate=10, burst=25)

    fixture.add(5)
    fixture.monotonic.now += 3600.0

    assert 25 == fixture.add(100)


def test_a_warning_tells_now_and_then_how_many_were_held_back() -> None:
    """At once, then at most once a minute; all warnings together tell of each denial once."""
    fixture = Fixture(rate=1, burst=1)

    for seconds in (0.0, 1.0, 58.0, 1.0, 200.0):
        fixture.monotonic.now += seconds
        fixture.add(11)
        fixture.denials.warn()

    assert ["10", "30", "10"] == [warning["denials"] for warning in fixture.warnings]
    assert {"shardId-1"} == {warning["shard_id"] for warning in fixture.warnings}


def test_nothing_held_back_is_no_warning() -> None:
    """A normal start is quiet."""
    fixture = Fixture(rate=10, burst=25)

    fixture.add(25)
    fixture.denials.warn()

    assert [] == fixture.warnings
