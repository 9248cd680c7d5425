"""Bytes that another instance or a damaged disk may give as a sketch: refused, or harmless in all that follows."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.answers import heaviest
from kcl_flowlog.counting.who.distinct import MOST_HASHES, REGISTERS
from kcl_flowlog.counting.who.kinds import KINDS, SOURCE
from tests.counting.who.truth import address, sketch_of

FIELDS = (
    *("version", "step", "subnets", "groups", "are_long", "short_names", "long_names"),
    *("seen", "missed", "unseen_groups", "unseen"),
    *("distinct_groups", "distinct_counts", "distinct_hashes", "dense_groups", "partial_groups"),
)
FLOWS = [(address(number), "10.0.0.1", "22") for number in range(5)]
SOUND: list[Any] = msgspec.msgpack.decode(isal_zlib.decompress(sketches.encode(sketch_of(FLOWS))))


def packed(**changed: Any) -> bytes:
    """Return a sound body with other fields."""
    body = [changed.get(name, value) for name, value in zip(FIELDS, SOUND, strict=True)]
    return isal_zlib.compress(msgspec.msgpack.encode(body), 1)


def floats(*numbers: float) -> bytes:
    return np.array(numbers, "<f8").tobytes()


def groups(*numbers: int) -> bytes:
    return np.array(numbers, "<u4").tobytes()


def name(text: str, size: int = 16) -> bytes:
    return text.encode().rjust(size, b"\0")


def one_row(**changed: Any) -> bytes:
    row = {"groups": groups(0), "are_long": b"\0", "short_names": name("10.0.0.1"), "long_names": b""}
    return packed(**{**row, "seen": floats(1), "missed": floats(0), **changed})


def one_long_name(data: bytes) -> bytes:
    return one_row(are_long=b"\x80", short_names=b"", long_names=data)


def distinct(*numbers: int, **changed: bytes) -> bytes:
    """Return a sound body with sets of one name each, of groups with these numbers."""
    fields = {"groups": groups(*numbers), "counts": groups(*[1] * len(numbers)), "hashes": groups(*[7] * len(numbers))}
    return packed(**{f"distinct_{name}": value for name, value in {**fields, **changed}.items()})


CONTRADICTIONS = {
    "another version": packed(version=SOUND[0] + 1),
    "fewer names": packed(are_long=b""),
    "fewer short names": one_row(short_names=b""),
    "more short names": one_row(short_names=name("10.0.0.1") * 2),
    "a short name cut off": one_row(short_names=name("10.0.0.1")[:-1]),
    "no long name": one_long_name(b""),
    "a long name too many": one_row(long_names=name("10.0.0.1 10.0.0.2", 24)),
    "a long name cut off": one_long_name(name("10.0.0.1 10.0.0.2", 24)[:-1]),
    "a name of a word": one_long_name(name("10.0.0.1", 8)),
    "two lines as a name": one_row(short_names=name("10.0.0.1\n::")),
    "two lines as a long name": one_long_name(name("10.0.0.1\n10.0.0.2", 24)),
    "fewer numbers seen": packed(seen=floats(1)),
    "fewer numbers missed": packed(missed=floats(1)),
    "a number cut off": packed(seen=SOUND[FIELDS.index("seen")][:-1]),
    "no subnet": packed(subnets=[]),
    "a group of no subnet": one_row(groups=groups(KINDS)),
    "not a number": one_row(seen=floats(math.nan)),
    "an infinite number": one_row(seen=floats(math.inf)),
    "a number whose sums overflow": one_row(missed=floats(1.7e308)),
    "a very long name": one_long_name(name("10.0.0.1", 96)),
    "unseen of no subnet": packed(unseen_groups=groups(KINDS), unseen=floats(1)),
    "more unseen than groups": packed(unseen_groups=groups(0), unseen=floats(1, 2)),
    "unseen that is not a number": packed(unseen_groups=groups(0), unseen=floats(math.nan)),
    "distinct of no subnet": distinct(KINDS),
    "distinct of a subnet twice": distinct(0, 0),
    "distinct out of order": distinct(1, 0),
    "distinct without a number": packed(distinct_counts=b""),
    "a number of hashes cut off": packed(distinct_counts=SOUND[FIELDS.index("distinct_counts")][:-1]),
    "registers of no subnet": packed(dense_groups=[(KINDS, b"\1" * REGISTERS)]),
    "registers of a negative group": packed(dense_groups=[(-1, b"\1" * REGISTERS)]),
    "registers of a huge group": packed(dense_groups=[(2**63, b"\1" * REGISTERS)]),
    "partial of no subnet": packed(partial_groups=groups(KINDS)),
    "a hash cut off": distinct(0, hashes=b"abc"),
    "fewer hashes than counted": distinct(0, hashes=b""),
    "more hashes than counted": distinct(0, hashes=groups(1, 2)),
    "more hashes than are kept": distinct(0, counts=groups(MOST_HASHES + 1), hashes=groups(*range(MOST_HASHES + 1))),
    "a missing register": packed(dense_groups=[(0, b"\1" * (REGISTERS - 1))]),
    "an impossible rank": packed(dense_groups=[(0, b"\x14" * REGISTERS)]),
    "hashes out of order": distinct(0, counts=groups(2), hashes=groups(2, 1)),
    "a hash twice": distinct(0, counts=groups(2), hashes=groups(2, 2)),
}


def test_a_number_that_is_rounded_below_zero_is_none() -> None:
    """What is missed is a difference of sums: an hour of large numbers must not look like damage."""
    found = sketches.decode(one_row(missed=floats(-(2.0**-20))))

    assert [0.0] == found.summary.rows.missed.tolist()


@pytest.mark.parametrize("data", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_body_that_contradicts_itself_is_refused(data: bytes) -> None:
    """As a `ValueError`, which all callers know."""
    with pytest.raises(ValueError, match="sketch"):
        sketches.decode(data)


def test_a_body_that_swells_is_refused() -> None:
    """A few kilobytes may be gigabytes, once they are decompressed."""
    data = packed(short_names=b"\0" * 10_000_000)
    assert len(data) < 100_000

    with pytest.raises(ValueError, match="not a sketch: more than 1000000 bytes"):
        sketches.decode(data, 1_000_000)


def test_a_body_that_is_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="not a sketch: it is cut off"):
        sketches.decode(packed()[:-5])


ANYTHING: dict[str, st.SearchStrategy[Any]] = {
    "step": st.integers(-(2**63), 2**63),
    "subnets": st.lists(st.text(max_size=3), max_size=3),
    "groups": st.lists(st.integers(0, 30), max_size=7).map(lambda some: groups(*some)),
    "are_long": st.binary(max_size=2),
    "short_names": st.lists(st.binary(max_size=16), max_size=7).map(
        lambda some: b"".join(each.rjust(16, b"\0") for each in some)
    ),
    "long_names": st.integers(0, 12).map(lambda words: b"12345678" * words),
    "seen": st.lists(st.floats(), max_size=7).map(lambda some: floats(*some)) | st.binary(max_size=9),
    "missed": st.lists(st.floats(), max_size=7).map(lambda some: floats(*some)),
    "unseen_groups": st.lists(st.integers(0, 30), max_size=3).map(lambda some: groups(*some)),
    "unseen": st.lists(st.floats(), max_size=3).map(lambda some: floats(*some)),
    "distinct_groups": st.lists(st.integers(0, 30), max_size=3).map(lambda some: groups(*sorted(some))),
    "distinct_counts": st.lists(st.integers(0, 2), max_size=3).map(lambda some: groups(*some)),
    "distinct_hashes": st.lists(st.integers(0, 9), max_size=4).map(lambda some: groups(*some)),
    "dense_groups": st.lists(
        st.tuples(st.integers(-1, 30), st.integers(0, 255).map(lambda octet: bytes([octet]) * REGISTERS)), max_size=2
    ),
    "partial_groups": st.lists(st.integers(0, 30), max_size=3).map(lambda some: groups(*some)),
}


@given(st.fixed_dictionaries({}, optional=ANYTHING))
def test_whatever_is_accepted_can_be_used(changed: dict[str, Any]) -> None:
    """Merged with a sound sketch, split, and shown."""
    try:
        found = sketches.decode(packed(**changed))
    except ValueError:
        return

    merged = sketches.combine(0, [sketch_of(FLOWS), found, found], 100)
    for each in [*sketches.split(found), *sketches.split(merged)]:
        for kind in range(KINDS):
            for heavy in heaviest(each.summary, kind, 5):
                msgspec.json.encode(heavy)
        for several in each.distinct.values():
            several.number()
    assert sketches.decode(sketches.encode(merged)).subnets == merged.subnets


@given(st.binary(max_size=100))
def test_any_bytes_are_refused(data: bytes) -> None:
    for some in (data, isal_zlib.compress(data, 1)):
        with pytest.raises(ValueError, match="sketch"):
            sketches.decode(some)


def test_a_number_beyond_all_counts_can_be_shown() -> None:
    """Records may claim bytes without end; JSON has 64 bits."""
    found = sketches.decode(one_row(seen=floats(1e30)))

    ((_, about, at_most),) = heaviest(found.summary, SOURCE, 1)

    assert (2**63 - 1, 2**63 - 1) == (about, at_most)
