"""Distinct counts: exact for few, within 3 % for many, and the same however they are merged."""

from __future__ import annotations

import random

import numpy as np
import pytest
from datasketches import hll_sketch

from kcl_flowlog.counting.who import distinct, sketches
from kcl_flowlog.counting.who.distinct import Distinct, of_hashes, union
from kcl_flowlog.counting.who.distinct_groups import DistinctGroups
from kcl_flowlog.counting.who.kinds import PORT, SOURCE
from kcl_flowlog.counting.who.names import Words, cut, fields_of, hash_of, mixed
from tests.counting.who.truth import address, sketch_of


def hashes_of_texts(*texts: str) -> Words:
    (names,) = fields_of(texts)
    return hash_of(cut(*names))


def hashes(first: int, number: int) -> Words:
    return hashes_of_texts(*map(address, range(first, first + number)))


def set_of(first: int, number: int) -> Distinct:
    return of_hashes(np.unique((hashes(first, number) >> np.uint64(32)).astype(np.uint32)))


@pytest.mark.parametrize("number", [0, 1, 1000, 1024])
def test_few_are_exact(number: int) -> None:
    assert number == set_of(7, number).number()


@pytest.mark.parametrize("number", [1025, 3000, 10_000])
def test_many_are_within_three_percent(number: int) -> None:
    """As an oracle with as many registers says."""
    oracle = hll_sketch(14)
    for each in range(number):
        oracle.update(address(each))

    found = set_of(0x0A000000, number).number()

    assert number == pytest.approx(found, rel=0.03)
    assert oracle.get_estimate() == pytest.approx(found, rel=0.04)


@pytest.mark.parametrize("number", [40_000, 250_000])
def test_hundreds_of_thousands_are_within_three_percent(number: int) -> None:
    """Numbers in place of addresses, which take long to write."""
    some = mixed(np.arange(number, dtype=np.uint64))

    assert number == pytest.approx(of_hashes(np.unique((some >> np.uint64(32)).astype(np.uint32))).number(), rel=0.03)


def test_a_union_does_not_depend_on_order_or_form() -> None:
    """Few and many, overlapping: as if all had been one set."""
    parts = [set_of(0, 900), set_of(500, 5000), set_of(3000, 1000), set_of(4000, 3000)]
    whole = set_of(0, 7000)

    for seed in range(3):
        random.Random(seed).shuffle(parts)
        found = union([union(parts[:2]), *parts[2:]])
        assert whole.registers is not None
        assert found.registers is not None
        assert np.array_equal(whole.registers, found.registers)


def test_hashes_never_change() -> None:
    """They are stored, and merged with those of other instances, which may have another version."""
    assert [291304917, 209255240] == [number >> 32 for number in hashes(0x0A000001, 2).tolist()]
    assert [1227077602] == [each >> 32 for each in hashes_of_texts("2001:db8:1:2:3:4:5:6789").tolist()]


def test_a_short_name_has_one_hash() -> None:
    """However many words it is given."""
    assert hashes_of_texts("10.0.0.1")[0] == hashes_of_texts("10.0.0.1", "2001:db8:1:2:3:4:5:6789")[0]


def test_room_that_is_used_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set that lost names says so, also after it was stored and merged."""
    monkeypatch.setattr("kcl_flowlog.counting.who.distinct_groups._MOST_DENSE", 1)
    groups = DistinctGroups()
    for group in (0, 1, 2):
        groups.add(np.full(2000, group), hashes(group * 2000, 2000))

    found = dict(groups.sets())

    assert [False, True, True] == [found[group].is_partial for group in range(3)]
    assert [2000, 1024, 1024] == [pytest.approx(found[group].number(), rel=0.03) for group in range(3)]
    assert union([set_of(0, 5), found[2]]).is_partial
    assert groups.size < 100_000


def test_sets_survive_storage() -> None:
    """As hashes and as registers."""
    for number in (10, 1500):
        flows = [(address(each), "10.0.0.1", "22") for each in range(number)]
        found = sketch_of(flows).distinct[SOURCE]
        assert distinct.union([found]).number() == set_of(0, number).number()


def test_what_is_no_sketch_is_refused() -> None:
    """A version to come may write another form."""
    for bad in (b"", b"x", sketches.encode(sketches.Sketches(0, []))[:-3]):
        with pytest.raises(ValueError, match="not a sketch"):
            sketches.decode(bad)


def test_names_are_counted_whatever_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit with many names merges before it is complete, also between two kinds of the same flows."""
    monkeypatch.setattr("kcl_flowlog.counting.who.collector._MOST_PENDING", 100)
    monkeypatch.setattr("kcl_flowlog.counting.who.collector._BATCH", 60)
    monkeypatch.setattr("kcl_flowlog.counting.who.collector._MOST_WAITING", 30)

    found = sketch_of((address(number), "10.0.0.1", str(1 + number)) for number in range(1000)).distinct

    assert [1000, 1000] == [found[kind].number() for kind in (SOURCE, PORT)]
