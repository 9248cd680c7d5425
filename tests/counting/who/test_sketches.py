"""Sketches as bytes: whatever happened to them before, they are read back as they were written."""

from __future__ import annotations

import random
import weakref
from collections.abc import Sequence
from unittest import mock

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from kcl_flowlog.counting.who import distinct, distinct_groups, heaviest, sketches
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.kinds import KEPT, KINDS
from kcl_flowlog.counting.who.names import joined
from kcl_flowlog.counting.who.sketches import Sketches
from tests.counting.who.truth import address

SUBNETS = ("subnet-a", "subnet-b")
NAMES = [*map(address, range(0x0A000000, 0x0A000014)), "2001:db8:1111:2222:3333:4444:5555:6666", "::1"]
LARGE = (1500, 10**15 - 1, 2**63)
FEW = 4
"""In place of the limits of sketches, so that small parts are cut, and have registers."""


def commit(rng: random.Random, flows: int, largest: int) -> Sketches:
    """Return what a commit of some flows collects; the first names are the most frequent."""
    collector = Collector()
    for _ in range(flows):
        subnet_id = rng.choice(SUBNETS)
        source, destination = (NAMES[int(len(NAMES) * rng.random() ** 3)] for _ in range(2))
        if rng.random() < 0.3:
            collector.add_reject(subnet_id, source, destination, "icmpv6", str(rng.choice((22, 65_535))))
        else:
            collector.add_accept(subnet_id, rng.random() < 0.5, source, rng.randrange(largest))
    return collector.take(0)


def check_stored(found: Sketches) -> Sketches:
    """Store a sketch and read it; all must be as it was."""
    again = sketches.decode(sketches.encode(found))
    rows, unseen = found.summary
    assert (found.step, found.subnets) == (again.step, again.subnets)
    assert joined(rows.names) == joined(again.summary.rows.names)
    for numbers in ("groups", "seen", "missed"):
        assert getattr(rows, numbers).tolist() == getattr(again.summary.rows, numbers).tolist()
    assert np.flatnonzero(unseen).tolist() == np.flatnonzero(again.summary.unseen).tolist()
    assert unseen[unseen != 0].tolist() == again.summary.unseen[again.summary.unseen != 0].tolist()
    assert _plain(found) == _plain(again)
    assert {group: each.number() for group, each in found.distinct.items()} == {
        group: each.number() for group, each in sketches.decode_distinct(sketches.encode(found)).items()
    }
    return again


def _plain(found: Sketches) -> dict[int, tuple[Sequence[int], bytes | None, bool]]:
    return {
        group: (hashes.tolist(), None if registers is None else registers.tobytes(), is_partial)
        for group, (hashes, registers, is_partial) in found.distinct.items()
    }


def test_a_collector_is_gone_as_soon_as_nobody_needs_it() -> None:
    """Not at some collection of garbage: it takes megabytes, and there is another for each commit."""
    collector = Collector()
    collector.add_reject("subnet-a", NAMES[0], NAMES[1], "tcp", "22")
    collector.add_accept("subnet-a", True, NAMES[0], 1)
    collector.take(0)
    gone = weakref.ref(collector)

    del collector

    assert gone() is None


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(0, 120), min_size=1, max_size=7),
    largest=st.sampled_from(LARGE),
    most_rows=st.sampled_from((None, 0, 7)),
)
@example(seed=226, sizes=[29, 22, 16], largest=LARGE[-1], most_rows=None)
def test_whatever_was_written_is_read_as_it_was(
    seed: int, sizes: Sequence[int], largest: int, most_rows: int | None
) -> None:
    """After any merges and splits, also of sums so large that they are rounded: else it would be lost."""
    rng = random.Random(seed)
    kept = np.array([FEW] * len(KEPT) + [0] * (KINDS - len(KEPT)), np.int64)
    with (
        mock.patch.object(heaviest, "_KEPT", kept),
        mock.patch.object(distinct, "MOST_HASHES", FEW),
        mock.patch.object(distinct_groups, "MOST_HASHES", FEW),
        mock.patch.object(distinct_groups, "_MOST_HASHES_IN_ALL", 2 * FEW),
        mock.patch.object(distinct_groups, "_MOST_DENSE", 2),
    ):
        parts = [check_stored(commit(rng, size, largest)) for size in sizes]
        while len(parts) > 1:
            rng.shuffle(parts)
            some = rng.randrange(2, len(parts) + 1)
            together = check_stored(sketches.combine(1, parts[:some], most_rows, kept=rng.random() < 0.7))
            alone = [check_stored(each) for each in sketches.split(together)]
            parts = [check_stored(sketches.side_by_side(2, alone)), *parts[some:]]
