"""Second deliveries of CloudWatch Logs, and envelopes that only look like them."""

from __future__ import annotations

import gzip

import pytest

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.duplicates import FINGERPRINT_BYTES, Checksum, Window, checksum, fingerprint
from kcl_flowlog.counting.log_stream import LogStream
from tests.support.builders import GOOD, NODATA, counted, envelope, labelled, line

LOG_STREAM = LogStream("1", "group", "eni-a-all")


def event(number: int, message: str = GOOD) -> dict[str, object]:
    """Return a log event with an id."""
    return {"id": f"{number:056d}", "timestamp": 0, "message": message}


FIRST = envelope(logEvents=[event(1), event(2)])

# The claim, the payload that follows FIRST, and what the two add up to: events by outcome, payloads by outcome.
CASES = {
    "the same payload again": (FIRST, {"counted": 2, "duplicate": 2}, {"data": 1, "duplicate": 1}),
    "the same events by another subscription filter": (
        envelope(logEvents=[event(1), event(2)], subscriptionFilters=["another"]),
        {"counted": 2, "duplicate": 2},
        {"data": 1, "duplicate": 1},
    ),
    "the same events without compression": (
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
    "the same ids with other lines, of a sender that always counts from 1": (
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
    "a copy together with new events": (
        FIRST + envelope(logEvents=[event(5)]),
        {"counted": 3, "duplicate": 2},
        {"data": 2},
    ),
}


@pytest.mark.parametrize("claim", CASES)
def test_a_payload_after_another(claim: str) -> None:
    """Only the same events of the same log stream are duplicates; each event has one outcome."""
    second, events, payloads = CASES[claim]

    delta, _ = counted(FIRST, second, window=Window())

    assert events == labelled(delta, counts.EVENTS)
    assert payloads == labelled(delta, counts.PAYLOADS)


def test_events_without_ids_are_never_duplicates() -> None:
    """Two flows may look alike; without ids nothing tells two of them from a second delivery."""
    events = [event(1), {"message": GOOD}]
    for without in (envelope(logEvents=events[1:]), envelope(logEvents=events)):
        delta, _ = counted(without, without, window=Window())

        assert ["counted"] == list(labelled(delta, counts.EVENTS))
        assert [] == delta.fingerprints


def test_an_envelope_without_events_is_never_a_duplicate() -> None:
    """It has nothing that could be counted twice."""
    empty = envelope()

    delta, _ = counted(empty, empty, window=Window())

    assert {"data": 2} == labelled(delta, counts.PAYLOADS)


def test_the_fingerprints_of_new_envelopes_go_into_the_delta() -> None:
    """The ledger keeps them, so that the next processor recognises a second delivery."""
    delta, _ = counted(FIRST, FIRST, window=Window())

    (digest,) = delta.fingerprints
    again, _ = counted(FIRST, window=Window([digest]))

    assert {"duplicate": 2} == labelled(again, counts.EVENTS)
    assert [] == again.fingerprints


def test_a_duplicate_is_not_denied_again() -> None:
    """--log-deny writes a reject at least once, but not once for each delivery."""
    denied = envelope(logEvents=[event(1, line("198.51.100.7", "10.0.1.10", action="REJECT"))])

    _, denials = counted(denied, denied, window=Window())

    assert len(denials) == 1


def test_without_deduplication_everything_counts() -> None:
    """--no-deduplicate means that there is no window."""
    delta, _ = counted(FIRST, FIRST)

    assert {"counted": 4} == labelled(delta, counts.EVENTS)
    assert [] == delta.fingerprints


def test_a_window_forgets_the_oldest() -> None:
    """Its memory is bounded; a fingerprint that it has forgotten is new again."""
    window = Window([b"1", b"2"], size=2)

    assert [False, False, True, True, False, True] == [window.add(digest) for digest in b"1 2 3 1 3 2".split()]


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    """The ledger keeps it for the next processor, which may be of a newer version."""
    assert Checksum(7, 0xFD6DB3E9, 0x069501A7) == checksum(b"[1,2,3]")
    assert "24a0302e32c80220" == fingerprint(LOG_STREAM, "1", "2", 2, checksum(b"[1,2,3]")).hex()
    assert FINGERPRINT_BYTES == len(fingerprint(LOG_STREAM, "", "", 0, checksum(b"")))


@pytest.mark.parametrize(
    ("first_id", "last_id", "events", "text"),
    [
        ("0", "2", 2, b"[1,2,3]"),
        ("1", "3", 2, b"[1,2,3]"),
        ("1", "2", 3, b"[1,2,3]"),
        ("1", "2", 2, b"[1,3,2]"),
        ("1", "2", 2, b"[1,2,3] "),
        ("12", "", 2, b"[1,2,3]"),
    ],
)
def test_a_fingerprint_differs_in_each_part(first_id: str, last_id: str, events: int, text: bytes) -> None:
    """Both ids, the number of events and their text count, and so does every part of the log stream."""
    usual = fingerprint(LOG_STREAM, "1", "2", 2, checksum(b"[1,2,3]"))

    assert usual != fingerprint(LOG_STREAM, first_id, last_id, events, checksum(text))
    for name in LogStream._fields:
        assert usual != fingerprint(LOG_STREAM._replace(**{name: "other"}), "1", "2", 2, checksum(b"[1,2,3]"))


def test_each_checksum_counts() -> None:
    """An error that one of the two does not notice is noticed by the other."""
    texts = [Checksum(7, 1, 1), Checksum(8, 1, 1), Checksum(7, 2, 1), Checksum(7, 1, 2)]

    assert 4 == len({fingerprint(LOG_STREAM, "1", "2", 2, text) for text in texts})


def test_half_a_surrogate_pair_has_a_fingerprint_too() -> None:
    """JSON may contain it in an id."""
    digests = [fingerprint(LOG_STREAM, *ids, 2, checksum(b"")) for ids in (("\ud800", "1"), ("1", "\ud800"))]

    assert 2 == len(set(digests))
