"""The heaviest names of many groups, by Space-Saving, as columns.

Of each name kept is known how much was seen of it since it was kept, and the most that may have been missed before.
Of a name that is not kept at most its group's `unseen` was counted. Whatever the order of parts and merges, `unseen`
is at most the weight of the group, divided by the number of names that it may keep: summaries merge as those of Agarwal
et al., "Mergeable Summaries" (2012). A group that has never been cut is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kcl_flowlog.counting.who.kinds import KEPT, KINDS
from kcl_flowlog.counting.who.names import Flags, Integers, Numbers, Texts, Words, in_order

_KEPT: Integers = np.array([*KEPT, *[0] * (KINDS - len(KEPT))], np.int64)
_NONE = np.zeros(0)


class Rows(NamedTuple):
    """Names of groups: the hash of each, what was `seen` of it, and at most `missed`; floats never overflow."""

    groups: Integers
    hashes: Words
    names: Texts
    seen: Numbers
    missed: Numbers

    def take(self, rows: Integers) -> Rows:
        """Return some of the rows."""
        return Rows(self.groups[rows], self.hashes[rows], self.names[rows], self.seen[rows], self.missed[rows])


NO_ROWS = Rows(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, "S1"), _NONE, _NONE)


class Summary(NamedTuple):
    """Rows, each name once in its group; `unseen` is the most that each group, by number, has of any other name."""

    rows: Rows = NO_ROWS
    unseen: Numbers = _NONE


def merge(parts: Sequence[Summary], group_count: int, most_rows: int | None = None, kept: bool = True) -> Summary:
    """Return one summary of several; a part that has no `unseen` for a group has seen all of it.

    Keeps at most `most_rows`, and of each kind what a subnet keeps, if `kept`.
    """
    unseen = np.zeros(group_count)
    for part in parts:
        unseen[: len(part.unseen)] += part.unseen
    parts = [part for part in parts if len(part.rows.groups)]
    if not parts:
        return Summary(NO_ROWS, unseen)
    together = Rows(*(np.concatenate(columns) for columns in zip(*(part.rows for part in parts), strict=True)))
    had = np.concatenate([_of_groups(part.unseen, part.rows.groups) for part in parts])
    places, seen, missed = _sums(together, had, unseen)
    groups = together.groups[places]
    sizes = np.bincount(groups, minlength=group_count)
    limits = np.tile(_KEPT, -(-group_count // KINDS))[:group_count] if kept else np.full(group_count, len(groups))
    if most_rows is not None:
        limits = _lowered(limits, sizes, most_rows)
    if (sizes > limits).any():
        rows = np.flatnonzero(_are_heaviest(groups, seen + missed, sizes, limits, unseen))
        groups, places, seen, missed = groups[rows], places[rows], seen[rows], missed[rows]
    # The names are moved last, as they are wide.
    return Summary(Rows(groups, together.hashes[places], together.names[places], seen, missed), unseen)


def _sums(rows: Rows, had: Numbers, unseen: Numbers) -> tuple[Integers, Numbers, Numbers]:
    """Return for each name a row that has it, what was seen of it, and what was missed.

    A part without the name may have missed as much as is `unseen` of its group; `had` is that of the part of each row.
    """
    order = in_order(rows.groups, rows.hashes, digits=2)
    groups, hashes = rows.groups[order], rows.hashes[order]
    starts = _starts(groups, hashes)
    if len(starts) > len(_starts(groups, hashes >> np.uint64(32))):
        # Rows of two names may take turns, whose hashes begin alike.
        order = in_order(rows.groups, rows.hashes)
        starts = _starts(rows.groups[order], rows.hashes[order])
    firsts = order[starts]
    missed = np.add.reduceat((rows.missed - had)[order], starts) + unseen[rows.groups[firsts]]
    # Rounded, a difference of equal sums may be less than nothing.
    np.maximum(missed, 0.0, out=missed)
    return firsts, np.add.reduceat(rows.seen[order], starts), missed


def _starts(groups: Integers, *columns: Words) -> Integers:
    """Return where each group begins, or each row of columns in it."""
    is_first = np.ones(len(groups), np.bool_)
    np.not_equal(groups[1:], groups[:-1], out=is_first[1:])
    for column in columns:
        is_first[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(is_first)


def _of_groups(unseen: Numbers, groups: Integers) -> Numbers:
    """Return the number of each row's group, 0 without a number."""
    if not len(unseen):
        return np.zeros(len(groups))
    return np.where(groups < len(unseen), unseen.take(groups, mode="clip"), 0.0)


def _lowered(limits: Integers, sizes: Integers, most_rows: int) -> Integers:
    """Return lower limits, by which all groups together keep at most `most_rows`; small groups stay whole."""
    level = int(limits.max(initial=0))
    while level > 0 and int(np.minimum(sizes, np.minimum(limits, level)).sum()) > most_rows:
        level = level * 3 // 4
    return np.minimum(limits, level)


def _are_heaviest(groups: Integers, weights: Numbers, sizes: Integers, limits: Integers, unseen: Numbers) -> Flags:
    """Tell which rows to keep of each group, by the most that each may be; note in `unseen` what is left out."""
    rows = np.flatnonzero((sizes > limits)[groups])
    # By falling weight, as numbers that are not negative are ordered as their bits; equal weights by their hashes.
    rows = rows[in_order(groups[rows], ~weights[rows].view(np.uint64))]
    ordered = groups[rows]
    starts = _starts(ordered)
    ranks = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    limit_of = limits[ordered]
    following = ranks == limit_of
    unseen[ordered[following]] = np.maximum(unseen[ordered[following]], weights[rows[following]])
    are_kept = np.ones(len(groups), np.bool_)
    are_kept[rows[ranks >= limit_of]] = False
    return are_kept
