"""The sketches of several subnets as of a step of five minutes, as data that is stored, merged and split.

Bytes may come from another instance: what `decode` returns is safe for everything else here, and anything else is a
`ValueError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from kcl_flowlog.counting.who.distinct import Distinct, from_registers, union
from kcl_flowlog.counting.who.distinct_sets import DistinctSets, as_columns, from_columns
from kcl_flowlog.counting.who.heaviest import Rows, Summary, merge, one_after_the_other
from kcl_flowlog.counting.who.kinds import KIND_BITS, KINDS
from kcl_flowlog.counting.who.names import (
    MOST_WORDS,
    SHORT,
    Integers,
    Numbers,
    Texts,
    Words,
    hashes_of,
    matrix_of,
    taken,
    texts_of,
)

_VERSION = 2
_MOST_BYTES = 64 * 1024 * 1024
_LARGEST = 1e300
"""Sums of such numbers don't overflow."""


@dataclass
class Sketches:
    """The summary and the distinct counts by group, where `subnets` are numbered from 0 on."""

    step: int
    subnets: list[str]
    summary: Summary = field(default_factory=Summary)
    distinct: Mapping[int, Distinct] = field(default_factory=dict)


class _Body(msgspec.Struct, array_like=True):
    version: int
    step: int
    subnets: list[str]
    groups: bytes
    # A bit for each name, whether it is longer than the short ones; both as words.
    are_long: bytes
    short_names: bytes
    long_names: bytes
    seen: bytes
    # Empty if nothing was.
    missed: bytes
    unseen_groups: bytes
    unseen: bytes
    # The groups of sets of few names, how many each has, and all their hashes.
    distinct_groups: bytes
    distinct_counts: bytes
    distinct_hashes: bytes
    # Each followed by its registers.
    dense_groups: list[tuple[Annotated[int, msgspec.Meta(ge=0)], bytes]]
    partial_groups: bytes


_decoder = msgspec.msgpack.Decoder(_Body)


def encode(sketches: Sketches) -> bytes:
    """Return sketches as bytes."""
    rows, unseen = sketches.summary
    cut = np.flatnonzero(unseen)
    sets = as_columns(sketches.distinct)
    body = _Body(
        _VERSION,
        sketches.step,
        sketches.subnets,
        rows.groups.astype("<u4").tobytes(),
        *_packed(rows.names),
        rows.seen.astype("<f8").tobytes(),
        rows.missed.astype("<f8").tobytes() if rows.missed.any() else b"",
        cut.astype("<u4").tobytes(),
        unseen[cut].astype("<f8").tobytes(),
        sets.groups.astype("<u4").tobytes(),
        sets.counts.astype("<u4").tobytes(),
        sets.hashes.astype("<u4").tobytes(),
        [(group, registers.tobytes()) for group, registers in sets.dense.items()],
        np.array([*sets.partial], "<u4").tobytes(),
    )
    return isal_zlib.compress(msgspec.msgpack.encode(body), 1)


def _packed(names: Texts) -> tuple[bytes, bytes, bytes]:
    """Return which names are long, the short names, and the long names."""
    matrix = matrix_of(names)
    are_long = np.zeros(len(names), np.bool_)
    for place in range(matrix.shape[1] - SHORT):
        are_long |= matrix[:, place] != 0
    short = texts_of(np.ascontiguousarray(matrix[:, -SHORT:]))
    return (
        np.packbits(are_long).tobytes(),
        taken(short, np.flatnonzero(~are_long)).tobytes(),
        taken(names, np.flatnonzero(are_long)).tobytes(),
    )


def decode(data: bytes, most_bytes: int = _MOST_BYTES) -> Sketches:
    """Return what `encode` has encoded, at most so many bytes once decompressed. Raises `ValueError`."""
    body = _decode_body(data, most_bytes)
    group_count = len(body.subnets) << KIND_BITS
    groups, cut = (_groups(some, group_count) for some in (body.groups, body.unseen_groups))
    seen = _numbers(body.seen, len(groups))
    missed = _numbers(body.missed, len(groups)) if body.missed else np.zeros(len(groups))
    matrix = _matrix(body, len(groups))
    unseen = np.zeros(group_count)
    unseen[cut] = _numbers(body.unseen, len(cut))
    summary = Summary(Rows(groups, hashes_of(matrix), texts_of(matrix), seen, missed), unseen)
    return Sketches(body.step, body.subnets, summary, _distinct_of(body))


def decode_distinct(data: bytes) -> Mapping[int, Distinct]:
    """Return only the distinct counts of what `encode` has encoded. Raises `ValueError` for anything else."""
    return _distinct_of(_decode_body(data, _MOST_BYTES))


def _decode_body(data: bytes, most_bytes: int) -> _Body:
    try:
        body = _decoder.decode(_decompressed(data, most_bytes))
    except (isal_zlib.IsalError, msgspec.MsgspecError) as error:  # type: ignore[misc] # its stub calls the class a value
        raise ValueError(f"not a sketch: {error}") from error
    if body.version != _VERSION:
        raise ValueError(f"a sketch of version {body.version}")
    return body


def _decompressed(data: bytes, most_bytes: int) -> bytes:
    decompressor = isal_zlib.decompressobj()
    body: bytes = decompressor.decompress(data, most_bytes)
    if not decompressor.eof:
        what = f"more than {most_bytes} bytes" if len(body) >= most_bytes else "it is cut off"
        raise ValueError(f"not a sketch: {what}")
    return body


def _matrix(body: _Body, count: int) -> Words:
    """Return the words of so many names."""
    if len(body.are_long) != -(-count // 8):
        raise ValueError("not a sketch: its columns differ in length")
    are_long = np.unpackbits(np.frombuffer(body.are_long, np.uint8), count=count).view(np.bool_)
    number = int(np.count_nonzero(are_long))
    short, long = _column(body.short_names, "<u8"), _column(body.long_names, "<u8")
    size = len(long) // number if number else SHORT
    if len(short) != (count - number) * SHORT or len(long) != number * size or not SHORT <= size <= MOST_WORDS:
        raise ValueError("not a sketch: its names differ in length")
    if b"\n" in body.short_names or b"\n" in body.long_names:
        raise ValueError("not a sketch: a name is more than a line")
    matrix = np.zeros((count, size), np.uint64)
    matrix[are_long] = long.reshape(number, size)
    matrix[~are_long, size - SHORT :] = short.reshape(-1, SHORT)
    return matrix


def _groups(data: bytes, group_count: int) -> Integers:
    groups = _column(data, "<u4").astype(np.int64)
    if len(groups) and groups.max() >= group_count:
        raise ValueError("not a sketch: it has names of a subnet that it lacks")
    return groups


def _numbers(data: bytes, count: int) -> Numbers:
    """Return a column of numbers as long as its groups; one below 0 is 0, as differences are rounded."""
    numbers: Numbers = _column(data, "<f8")
    if len(numbers) != count:
        raise ValueError("not a sketch: its columns differ in length")
    # What is not a number compares with nothing.
    if not (np.abs(numbers) <= _LARGEST).all():
        raise ValueError("not a sketch: it has numbers that nothing is counted by")
    return np.maximum(numbers, 0.0)


def _column(data: bytes, kind: str) -> NDArray[Any]:
    if len(data) % np.dtype(kind).itemsize:
        raise ValueError("not a sketch: a column is cut off")
    return np.frombuffer(data, kind)


def _distinct_of(body: _Body) -> DistinctSets:
    group_count = len(body.subnets) << KIND_BITS
    groups, partial = (_groups(some, group_count) for some in (body.distinct_groups, body.partial_groups))
    counts = _column(body.distinct_counts, "<u4").astype(np.int64)
    dense = {group: from_registers(_column(registers, "u1")) for group, registers in body.dense_groups}
    if max(dense, default=-1) >= group_count:
        raise ValueError("not a sketch: it has distinct names of a subnet that it lacks")
    return from_columns(groups, counts, _column(body.distinct_hashes, "<u4"), dense, {*partial.tolist()})


def combine(step: int, parts: Sequence[Sketches], most_rows: int | None = None, kept: bool = True) -> Sketches:
    """Return the sketches of several as one; see `heaviest.merge`. All must have been decoded."""
    numbers: dict[str, int] = {}
    summaries: list[Summary] = []
    sets: dict[int, list[Distinct]] = {}
    for part in parts:
        places = np.array([numbers.setdefault(name, len(numbers)) for name in part.subnets], np.int64)
        summaries.append(_renumbered(part.summary, places, len(numbers)))
        for group, each in part.distinct.items():
            found = int(places[group >> KIND_BITS]) << KIND_BITS | group & (KINDS - 1)
            sets.setdefault(found, []).append(each)
    summary = merge(summaries, len(numbers) << KIND_BITS, most_rows, kept) if summaries else Summary()
    return Sketches(step, [*numbers], summary, {group: union(several) for group, several in sets.items()})


def _renumbered(summary: Summary, places: Integers, count: int) -> Summary:
    rows, before = summary
    if not len(places):
        return Summary()
    groups = places[rows.groups >> KIND_BITS] << KIND_BITS | rows.groups & (KINDS - 1)
    unseen = np.zeros((count, KINDS))
    if len(before):
        np.add.at(unseen, places, before.reshape(len(places), KINDS))
    return Summary(rows._replace(groups=groups), unseen.reshape(-1))


def split(sketches: Sketches) -> Iterator[Sketches]:
    """Yield the sketches of each subnet alone."""
    rows, unseen = sketches.summary
    order = np.argsort(rows.groups, kind="stable")
    bounds = np.searchsorted(rows.groups[order], np.arange(len(sketches.subnets) + 1) << KIND_BITS).tolist()
    distinct: dict[int, dict[int, Distinct]] = {}
    for group, each in sketches.distinct.items():
        distinct.setdefault(group >> KIND_BITS, {})[group & (KINDS - 1)] = each
    for number, subnet_id in enumerate(sketches.subnets):
        some = rows.take(order[bounds[number] : bounds[number + 1]])
        first = number << KIND_BITS
        summary = Summary(some._replace(groups=some.groups - first), unseen[first : first + KINDS])
        yield Sketches(sketches.step, [subnet_id], summary, distinct.get(number, {}))


def side_by_side(step: int, parts: Sequence[Sketches]) -> Sketches:
    """Return the sketches of several as one, if no two have the same subnet; nothing is added up."""
    found = Sketches(step, [])
    rows: list[Rows] = []
    unseen: list[Numbers] = []
    distinct: dict[int, Distinct] = {}
    for part in parts:
        first = len(found.subnets) << KIND_BITS
        found.subnets += part.subnets
        rows.append(part.summary.rows._replace(groups=part.summary.rows.groups + first))
        unseen.append(part.summary.unseen if len(part.summary.unseen) else np.zeros(len(part.subnets) << KIND_BITS))
        distinct |= {first + group: each for group, each in part.distinct.items()}
    if rows:
        found.summary = Summary(one_after_the_other(rows), np.concatenate(unseen))
    found.distinct = distinct
    return found
