"""A delta: what it adds up, what bounds it, and its snapshot."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting import counts, delta
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Delta, Histogram, RejectedPort, Snapshot, Traffic

SERIES = Traffic("subnet-a", "egress", "accept", "tcp", "internet")
OTHER = SERIES._replace(direction="ingress")
PORT = RejectedPort("subnet-a", "ingress", "tcp", "22")


def letter(body: str = "bad") -> DeadLetter:
    return DeadLetter("shard", "5", 0, "bad_number", "line", body)


def labelled(made: Delta, count: str) -> int:
    return made.counts[count, ""]


def test_a_snapshot_holds_everything_that_was_added() -> None:
    """Flows, packets and bytes of each series add up; counts add up by label."""
    made = Delta()
    made.add_flow(SERIES, 10, 1000)
    made.add_flow(OTHER, 1, 40)
    made.add_flow(SERIES, 2, 30)
    made.rejected_ports[PORT] += 1
    made.add(counts.EVENTS, "counted", 3)
    made.add(counts.EVENTS, "counted")
    made.add(counts.UNDECIDED_COMMITS)
    made.add_dead_letter(letter())
    made.observe(counts.BATCH_DURATION, 0.25)
    made.fingerprints.append(b"12345678")

    expected = Snapshot(
        traffic=[(SERIES, (2, 12, 1030)), (OTHER, (1, 1, 40))],
        rejected_ports=[(PORT, 1)],
        counts=[
            (counts.EVENTS, "counted", 4),
            (counts.UNDECIDED_COMMITS, "", 1),
            (counts.DEAD_LETTERS, "", 1),
        ],
        histograms={counts.BATCH_DURATION: Histogram([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], 0.25)},
        dead_letters=[letter()],
        fingerprints=[b"12345678"],
    )
    assert expected == made.snapshot()


def test_the_size_of_a_delta_is_the_rows_of_its_commit() -> None:
    """Traffic series, rejected ports, dead letters and fingerprints each count; a series counts once."""
    made = Delta()
    sizes = [made.size]
    for series in (SERIES, SERIES, OTHER):
        made.add_flow(series, 1, 1)
        sizes.append(made.size)
    made.rejected_ports[PORT] += 1
    sizes.append(made.size)
    made.add_dead_letter(letter())
    sizes.append(made.size)
    made.fingerprints += [b"1", b"2"]
    sizes.append(made.size)

    assert [0, 1, 1, 2, 3, 4, 6] == sizes


def test_a_delta_without_counts_is_false() -> None:
    """Every payload adds a count, so such a delta needs no commit."""
    made = Delta()
    assert not made

    made.add(counts.PAYLOADS, "control")

    assert made


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (30.0, 0), (30.1, 1), (60.0, 1), (86_400.0, 10), (86_401.0, 11), (1e9, 11)]
)
def test_a_value_is_in_the_bucket_of_its_upper_bound(seconds: float, bucket: int) -> None:
    """A bound belongs to its bucket; values above the last bound are in the last bucket."""
    made = Delta()

    made.observe(counts.EVENT_DELAY, seconds)

    expected = [0] * 12
    expected[bucket] = 1
    assert Histogram(expected, seconds) == made.histograms[counts.EVENT_DELAY]


def test_observations_add_up() -> None:
    """One by one, and several whose numbers up to each bound are known."""
    made = Delta()

    made.observe(counts.EVENT_DELAY, 50.0)
    made.observe_many(counts.EVENT_DELAY, [2, *[5] * 10], 5, 122.0)

    assert Histogram([2, 4, *[0] * 10], 172.0) == made.histograms[counts.EVENT_DELAY]


def test_the_number_of_dead_letters_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further letters are only counted, except a letter that must be kept."""
    monkeypatch.setattr(delta, "_MAX_DEAD_LETTERS", 2)
    made = Delta()

    for body in ("a", "b", "c"):
        made.add_dead_letter(letter(body))
    made.add_dead_letter(letter("d"), even_if_full=True)

    assert ["a", "b", "d"] == [kept.body for kept in made.dead_letters]
    assert (3, 1) == (labelled(made, counts.DEAD_LETTERS), labelled(made, counts.DEAD_LETTERS_DROPPED))


def test_the_bytes_of_dead_letters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter is kept while the letters before it have less than the limit together."""
    monkeypatch.setattr(delta, "_MAX_DEAD_LETTER_BYTES", 10)
    made = Delta()

    for body in ("x" * 4, "x" * 5, "x" * 1, "late"):
        made.add_dead_letter(letter(body))

    assert [4, 5, 1] == [len(kept.body) for kept in made.dead_letters]
    assert 1 == labelled(made, counts.DEAD_LETTERS_DROPPED)


def test_the_bounds_are_a_thousand_letters_and_four_mebibytes() -> None:
    """A commit of dead letters stays small beside the ledger."""
    made = Delta()
    for number in range(1001):
        made.add_dead_letter(letter(str(number)))
    large = Delta()
    for _ in range(3):
        large.add_dead_letter(letter("x" * 2 * 1024 * 1024))

    assert 1000 == len(made.dead_letters)
    assert 2 == len(large.dead_letters)
