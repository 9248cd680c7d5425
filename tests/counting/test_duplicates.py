"""What CloudWatch Logs delivers again, and what only looks like it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.commits import fingerprints
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import FINGERPRINT_BYTES, Window, fingerprint
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.positions import Position
from tests.support.builders import GOOD, NODATA, counted, envelope, labelled, line
from tests.support.conversation import GOOD as LINE
from tests.support.conversation import KILL, Stage, acknowledge, asks, done, initialize, payload, records

STREAM = LogStream("1", "group", "eni-a-all")


def event(number: int, message: str = GOOD) -> dict[str, object]:
    return {"id": f"{number:056d}", "timestamp": 0, "message": message}


FIRST = envelope(logEvents=[event(1), event(2)])

# The claim, the payload that follows FIRST, and what the two add up to: events by outcome, payloads by outcome.
CASES = {
    "the same payload again": (FIRST, {"counted": 2, "duplicate": 2}, {"data": 1, "duplicate": 1}),
    "by another subscription filter": (
        envelope(logEvents=[event(1), event(2)], subscriptionFilters=["another"]),
        {"counted": 2, "duplicate": 2},
        {"data": 1, "duplicate": 1},
    ),
    "compressed otherwise": (
        gzip.decompress(FIRST),
        {"counted": 2, "duplicate": 2},
        {"data": 1, "duplicate": 1},
    ),
    "other events with the same lines": (
        envelope(logEvents=[event(3), event(4)]),
        {"counted": 4},
        {"data": 2},
    ),
    "the same ids in another log stream": (
        envelope(logEvents=[event(1), event(2)], logStream="eni-a-accept"),
        {"counted": 4},
        {"data": 2},
    ),
    "ids of a sender that always counts from 1, with other lines": (
        envelope(logEvents=[event(1, NODATA), event(2)]),
        {"counted": 3, "nodata": 1},
        {"data": 2},
    ),
    "one event more": (
        envelope(logEvents=[event(1), event(2), event(3)]),
        {"counted": 5},
        {"data": 2},
    ),
    "two copies in one payload": (
        FIRST + FIRST,
        {"counted": 2, "duplicate": 4},
        {"data": 1, "duplicate": 1},
    ),
    "a copy beside something new": (
        FIRST + envelope(logEvents=[event(5)]),
        {"counted": 3, "duplicate": 2},
        {"data": 2},
    ),
}


@pytest.mark.parametrize("claim", CASES)
def test_a_payload_after_another(claim: str) -> None:
    """Only the same events of the same log stream are a duplicate; each event has one outcome all the same."""
    second, events, payloads = CASES[claim]

    delta, _ = counted(FIRST, second, window=Window())

    assert events == labelled(delta, counts.EVENTS)
    assert payloads == labelled(delta, counts.PAYLOADS)


def test_events_without_ids_are_never_duplicates() -> None:
    """Two flows may well look alike; without an id nothing tells one sent twice from two."""
    without = envelope(logEvents=[{"message": GOOD}])

    delta, _ = counted(without, without, window=Window())

    assert {"counted": 2} == labelled(delta, counts.EVENTS)


def test_a_duplicate_is_not_denied_again() -> None:
    """--log-deny says a reject at least once, not once for each delivery."""
    denied = envelope(logEvents=[event(1, line("198.51.100.7", "10.0.1.10", action="REJECT"))])

    _, denials = counted(denied, denied, window=Window())

    assert len(denials) == 1


def test_without_deduplication_everything_counts() -> None:
    """--no-deduplicate has no window."""
    delta, _ = counted(FIRST, FIRST)

    assert {"counted": 4} == labelled(delta, counts.EVENTS)
    assert delta.fingerprints == []


def test_a_window_forgets_the_oldest() -> None:
    """Its memory is bounded; what left it is new again."""
    window = Window(size=2)
    one, two, three = (fingerprint(STREAM, [name], ["m"]) for name in ("1", "2", "3"))

    assert [True, True, False, True, True] == [window.add(each) for each in (one, two, two, three, one)]


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    """The ledger holds it for the next one."""
    assert fingerprint(STREAM, ["1"], ["m"]).hex() == "7ef82f9743c11712"
    assert len(fingerprint(STREAM, [], [])) == FINGERPRINT_BYTES


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


ONE = payload(LINE)
OPENING = [initialize(), done("initialize")]
COMMITTED = [asks("101"), acknowledge("101"), done("processRecords")]

# The claim, the conversation in which ONE is delivered as record 101 and then as 102, and the flows counted in the end.
STORIES = {
    "delivered again in the same batch": (
        [*OPENING, records((101, ONE), (102, ONE)), asks("102"), acknowledge("102"), done("processRecords")],
        1,
    ),
    "delivered again to the next processor": (
        [
            *[*OPENING, records((101, ONE)), *COMMITTED, KILL, initialize("101"), done("initialize")],
            *[records((102, ONE)), asks("102"), acknowledge("102"), done("processRecords")],
        ],
        1,
    ),
    "the first was committed, but not folded": (
        [
            *[*OPENING, records((101, ONE)), asks("101"), KILL, initialize("101"), done("initialize")],
            *[records((102, ONE)), asks("102"), acknowledge("102"), done("processRecords")],
        ],
        1,
    ),
    "the first was never committed, and comes again": (
        [
            *[*OPENING, records((101, ONE)), asks("101"), KILL, *OPENING],
            *[records((101, ONE)), *COMMITTED],
        ],
        1,
    ),
    "throttled, and committed before the next": (
        [
            *OPENING,
            records((101, ONE)),
            *[asks("101"), acknowledge("101", "ThrottlingException")] * 5,
            done("processRecords"),
            *[records((102, ONE)), asks("101"), acknowledge("101")],
            *[asks("102"), acknowledge("102"), done("processRecords")],
        ],
        1,
    ),
    "checkpointed, then killed before it was counted": (
        [
            *[*OPENING, records((101, ONE)), asks("101"), KILL],
            *[initialize("101"), done("initialize")],
            *[records((102, ONE)), asks("102"), acknowledge("102"), done("processRecords")],
        ],
        1,
    ),
}


@pytest.mark.parametrize("claim", STORIES)
def test_conversation(stage: Stage, claim: str) -> None:
    """What was counted is known for good, what was not is counted when it comes again."""
    steps, flows = STORIES[claim]

    stage.play(*steps)

    assert flows == stage.flows


def fold(ledger: Ledger, shard_id: str, fingerprints: list[bytes]) -> None:
    delta = Delta()
    delta.add(counts.EVENTS, "counted")
    delta.fingerprints = fingerprints
    held = ledger.claim(shard_id, ledger.begin_generation())
    ledger.prepare(held, Position("2"), delta.snapshot())
    ledger.fold(held)


def test_the_ledger_keeps_one_window_a_shard(tmp_path: Path) -> None:
    """The newest envelopes of each shard, in order, whole commits at a time; none older than a day."""
    now = [1000.0]
    with Ledger(tmp_path / "ledger", clock=lambda: now[0]) as ledger:
        numbers = [number.to_bytes(FINGERPRINT_BYTES, "big") for number in range(70_000)]
        for start in range(0, 70_000, 10_000):
            fold(ledger, "shard-1", numbers[start : start + 10_000])
        fold(ledger, "shard-2", numbers[:3])

        assert numbers[30_000:] == ledger.fingerprints("shard-1")
        assert numbers[:3] == ledger.fingerprints("shard-2")

        now[0] += fingerprints.TTL + 1
        fold(ledger, "shard-2", [])

        assert ledger.fingerprints("shard-1") == []
