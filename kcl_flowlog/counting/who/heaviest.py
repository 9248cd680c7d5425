"""The heaviest names of many groups, by Space-Saving, as columns.

Of each name kept is known how much was seen of it since it was kept, and the most that may have been missed before.
Of a name that is not kept at most its group's `unseen` was counted. Whatever the order of parts and merges, `unseen`
is at most the weight of the group, divided by the number of names that it may keep: summaries merge as those of Agarwal
et al., "Mergeable Summaries" (2012). A group that has never been cut is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from kcl_flowlog.counting.who.kinds import KEPT, KINDS
from kcl_flowlog.counting.who.names import (
    Flags,
    Integers,
    Numbers,
    Texts,
    Words,
    in_order,
    lengths_of,
    stacked,
    starts_of,
    taken,
)

_KEPT: Integers = np.array([*KEPT, *[0] * (KINDS - len(KEPT))], np.int64)
_NONE = np.zeros(0)
_ONE, _LOWER_HALF = np.uint64(1), np.uint64(2**32 - 1)


class Rows(NamedTuple):
    """Names of groups: the hash of each, what was `seen` of it, and at most `missed`; floats never overflow."""

    groups: Integers
    hashes: Words
    names: Texts
    seen: Numbers
    missed: Numbers

    def take(self, rows: Integers) -> Rows:
        """Return some of the rows."""
        return Rows(self.groups[rows], self.hashes[rows], taken(self.names, rows), self.seen[rows], self.missed[rows])


NO_ROWS = Rows(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, "S8"), _NONE, _NONE)


def one_after_the_other(several: Sequence[Rows]) -> Rows:
    """Return the rows of several as one."""
    if len(several) == 1:
        return several[0]
    groups, hashes, names, seen, missed = zip(*several, strict=True)
    return Rows(
        np.concatenate(groups), np.concatenate(hashes), stacked(names), np.concatenate(seen), np.concatenate(missed)
    )


class Summary(NamedTuple):
    """Rows, each name once in its group; `unseen` is the most that each group, by number, has of any other name."""

    rows: Rows = NO_ROWS
    unseen: Numbers = _NONE


def merge(
    parts: Sequence[Summary],
    group_count: int,
    most_rows: int | None = None,
    kept: bool = True,
    on_names: Callable[[Integers, Words], None] = lambda groups, hashes: None,
) -> Summary:
    """Return one summary of several; a part that has no `unseen` for a group has seen all of it.

    Keeps at most `most_rows`, and of each kind what a subnet keeps, if `kept`. Before any name is left out, `on_names`
    gets the groups and hashes of all, in order.
    """
    unseen = np.zeros(group_count)
    for part in parts:
        unseen[: len(part.unseen)] += part.unseen
    parts = [part for part in parts if len(part.rows.groups)]
    if not parts:
        return Summary(NO_ROWS, unseen)
    rows = one_after_the_other([part.rows for part in parts])
    order, starts = _by_name(rows)
    places = order[starts]
    groups, hashes, seen = rows.groups[places], rows.hashes[places], np.add.reduceat(rows.seen[order], starts)
    missed = _missed(rows, parts, order, starts, unseen)
    on_names(groups, hashes)
    are_kept = _are_kept(groups, seen + missed, unseen, most_rows, kept)
    if are_kept is not None:
        places, groups, hashes = places[are_kept], groups[are_kept], hashes[are_kept]
        seen, missed = seen[are_kept], missed[are_kept]
    # The names are moved last, as they are wide.
    return Summary(Rows(groups, hashes, taken(rows.names, places), seen, missed), unseen)


def _by_name(rows: Rows) -> tuple[Integers, Integers]:
    """Return the places of rows in the order of their groups and names, and where among them each name begins."""
    order = in_order(rows.groups, rows.hashes, digits=2)
    groups, hashes = rows.groups[order], rows.hashes[order]
    differences = hashes[1:] ^ hashes[:-1]
    # Without a difference, less than none is the largest number.
    if (differences - _ONE < _LOWER_HALF).any():
        # Rows of two names, whose hashes begin alike, may take turns.
        order = in_order(rows.groups, rows.hashes)
        groups, hashes = rows.groups[order], rows.hashes[order]
        differences = hashes[1:] ^ hashes[:-1]
    return order, starts_of(groups, differences != 0)


def _missed(rows: Rows, parts: Sequence[Summary], order: Integers, starts: Integers, unseen: Numbers) -> Numbers:
    """Return what was missed of each name: a part without it may have missed as much as is `unseen` of its group."""
    if not rows.missed.any() and not unseen.any():
        return np.zeros(len(starts))
    had = np.concatenate([_of_groups(part.unseen, part.rows.groups) for part in parts])
    missed: Numbers = np.add.reduceat((rows.missed - had)[order], starts) + unseen[rows.groups[order[starts]]]
    # Rounded, a difference of equal sums may be less than nothing.
    return np.maximum(missed, 0.0, out=missed)


def _of_groups(unseen: Numbers, groups: Integers) -> Numbers:
    """Return the number of each row's group, 0 without a number."""
    if not len(unseen):
        return np.zeros(len(groups))
    return np.where(groups < len(unseen), unseen.take(groups, mode="clip"), 0.0)


def _lowered(limits: Integers, sizes: Integers, most_rows: int) -> Integers:
    """Return lower limits, by which all groups together keep at most `most_rows`; small groups stay whole."""
    level = int(limits.max())
    while level > 0 and int(np.minimum(sizes, np.minimum(limits, level)).sum()) > most_rows:
        level = level * 3 // 4
    return np.minimum(limits, level)


def _are_kept(groups: Integers, weights: Numbers, unseen: Numbers, most_rows: int | None, kept: bool) -> Flags | None:
    """Tell which rows to keep of each group, by the most that each may be, None for all.

    Notes in `unseen` what is left out.
    """
    sizes = np.bincount(groups, minlength=len(unseen)).reshape(-1, KINDS)
    limits = _KEPT if kept else sizes
    if most_rows is not None and len(groups) > most_rows:
        limits = _lowered(limits, sizes, most_rows)
    are_large = sizes > limits
    if not are_large.any():
        return None
    limits = np.broadcast_to(limits, sizes.shape).ravel()
    rows = np.flatnonzero(are_large.ravel()[groups])
    # By falling weight: numbers that are not negative are ordered as their bits. Equal ones stay in order.
    rows = rows[in_order(groups[rows], ~weights[rows].view(np.uint64))]
    ordered = groups[rows]
    starts = starts_of(ordered)
    ranks = np.arange(len(rows)) - np.repeat(starts, lengths_of(starts, len(rows)))
    are_left, are_following = ranks >= limits[ordered], ranks == limits[ordered]
    following = ordered[are_following]
    unseen[following] = np.maximum(unseen[following], weights[rows[are_following]])
    are_kept = np.ones(len(groups), np.bool_)
    are_kept[rows[are_left]] = False
    return are_kept
