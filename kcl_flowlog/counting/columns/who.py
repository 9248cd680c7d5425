"""Who sent the records of a block, as columns for the collector of `counting.who`."""

from __future__ import annotations

import numpy as np

from kcl_flowlog.counting.columns.block import Decided
from kcl_flowlog.counting.columns.fields import Fields
from kcl_flowlog.counting.columns.sums import ACTION_NAMES, PROTOCOL_LABELS
from kcl_flowlog.counting.columns.text import WORD, Flags, Integers, Lines, Words, mask_of, word_of
from kcl_flowlog.counting.who.collector import LONGEST_PORT, Collector
from kcl_flowlog.counting.who.kinds import EGRESS, INGRESS, KIND_BITS
from kcl_flowlog.counting.who.names import LONG, SHORT, Numbers

_ACCEPT = ACTION_NAMES.index("accept")
_SAMPLES, _EVERY = 256, 16
"""Of a block with more accepted lines, as many are looked at, or one of every sixteen, if that is more."""
_LEAST_SAMPLES = 4
"""The same of each interface with many lines."""
# By the width of a field, the part of each word that belongs to it.
_MASKS: list[Words] = [
    np.array([mask_of(width - WORD * place) for width in range(WORD * LONG + 1)], np.uint64) for place in range(LONG)
]
_PROTOCOLS: Words = np.array([word_of(f"{label}/") for label in PROTOCOL_LABELS], np.uint64)
_ZERO = np.uint64(word_of("0"))
_SIXES, _THREES, _UPPER_HALVES = (np.uint64(0x0101010101010101 * byte) for byte in (0x06, 0x30, 0xF0))


def collect(lines: Lines, fields: Fields, decided: Decided, rejected: Integers, collector: Collector) -> None:
    """Add the counted lines of a block; `rejected` are the places of those that were rejected."""
    subnets = np.array([collector.subnet(each.subnet_id) for each in decided.listed], np.int64)
    accepted = np.flatnonzero(decided.counted & (decided.action == _ACCEPT))
    if len(accepted):
        accepted, octets = _sampled(accepted, decided, collector.next_start())
        groups = subnets[decided.of_line[accepted]] << KIND_BITS
        # Ingress is the first of the ways.
        groups |= np.where(decided.way[accepted] == 0, INGRESS, EGRESS)
        ends, widths = decided.peer_ends[accepted], decided.peer_widths[accepted]
        collector.add_accepts(groups, _names(lines, ends, widths, _count(widths)), octets)
    if len(rejected):
        ports, have_port = _ports(lines, fields.dstport, rejected, decided.protocol[rejected])
        sources = lines.ends(fields.srcaddr)[rejected], lines.widths(fields.srcaddr)[rejected]
        targets = lines.ends(fields.dstaddr)[rejected], lines.widths(fields.dstaddr)[rejected]
        count = _count(np.maximum(sources[1], targets[1]))
        words = _names(lines, *sources, count), _names(lines, *targets, count)
        collector.add_rejects(subnets[decided.of_line[rejected]], *words, ports, have_port)


def _sampled(accepted: Integers, decided: Decided, start: float) -> tuple[Integers, Numbers]:
    """Return some of the accepted lines, each with the bytes that it stands for.

    A line that has a large share of its interface's bytes always stands for itself. Any other is chosen with a
    probability of its bytes by a threshold, and stands for the threshold, so that sums are right on average.
    """
    octets = decided.octets[accepted].astype(np.float64)
    if len(accepted) <= _SAMPLES:
        return accepted, octets
    of_line, count = decided.of_line[accepted], len(decided.listed)
    totals = np.bincount(of_line, octets, count)
    samples = max(_SAMPLES, len(accepted) // _EVERY)
    thresholds = np.maximum(totals / max(_LEAST_SAMPLES, samples // count), 1.0)[of_line]
    shares = octets / thresholds
    shares[0] += start
    steps = np.cumsum(shares).astype(np.int64)
    is_chosen = steps > 0
    is_chosen[1:] = steps[1:] != steps[:-1]
    chosen = np.flatnonzero(is_chosen)
    return accepted[chosen], np.maximum(octets[chosen], thresholds[chosen])


def _count(widths: Integers) -> int:
    return SHORT if int(widths.max()) <= WORD * SHORT else LONG


def _names(lines: Lines, ends: Integers, widths: Integers, count: int) -> list[Words]:
    tails = lines.tails(ends, count)
    return [tail & masks.take(widths, mode="clip") for tail, masks in zip(tails, _MASKS[:count], strict=True)]


def _ports(lines: Lines, field: int | None, rows: Integers, protocols: Integers) -> tuple[list[Words], Flags]:
    """Return the names of ports, each with its protocol, and whether a line has a port."""
    if field is None:
        return [np.zeros(len(rows), np.uint64)] * SHORT, np.zeros(len(rows), np.bool_)
    widths = lines.widths(field)[rows]
    numbers = lines.words_before(lines.ends(field)[rows]) & _MASKS[0].take(widths, mode="clip")
    # A digit, and no other letter, has a 3 as its upper half, also once 6 is added.
    threes = _MASKS[0].take(widths, mode="clip") & _THREES
    are_digits = (numbers & _UPPER_HALVES == threes) & ((numbers + _SIXES) & _UPPER_HALVES == threes)
    have_port = are_digits & (numbers != _ZERO) & (widths <= LONGEST_PORT)
    return [numbers, _PROTOCOLS.take(protocols)], have_port
