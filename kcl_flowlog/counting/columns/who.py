"""Who sent the records of a block, as columns for the collector of `counting.who`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from kcl_flowlog.counting.columns.block import Decided
from kcl_flowlog.counting.columns.fields import Fields
from kcl_flowlog.counting.columns.sums import ACTION_NAMES, PROTOCOL_LABELS
from kcl_flowlog.counting.columns.text import WORD, Integers, Lines, Words, word_of
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.kinds import EGRESS, INGRESS, KIND_BITS
from kcl_flowlog.counting.who.names import LONG, SHORT, Numbers

_ACCEPT = ACTION_NAMES.index("accept")
_SAMPLES, _EVERY = 256, 32
"""Of the accepted lines of a larger block, about as many are looked at, or one of thirty-two, if that is more."""
_LEAST_SAMPLES = 4
"""The same of each interface with many lines."""
_EXPONENT = np.uint64(0x7FF << 52)
_PROTOCOLS: Words = np.array([word_of(f"{label}/") for label in PROTOCOL_LABELS], np.uint64)
# Ingress is the first of the ways.
_KIND_OF_WAY: Integers = np.array([INGRESS, EGRESS], np.int64)


def collect(
    lines: Lines, fields: Fields, decided: Decided, counts: Sequence[int], rejected: Integers, collector: Collector
) -> None:
    """Add the counted lines of a block, of which each log stream has `counts`; `rejected` are the places of some."""
    numbers = collector.subnets
    groups = np.array([numbers[each.subnet_id] for each in decided.listed], np.int64) << KIND_BITS
    accepted, octets = _sampled(decided, counts, collector)
    if len(accepted):
        kinds = _KIND_OF_WAY.take(decided.way[accepted], mode="clip")
        widths = decided.peer_widths[accepted]
        peers = _tails(lines, decided.peer_ends, decided.peer_tails, accepted, _are_short(widths))
        collector.add_accepts(groups[decided.of_line[accepted]] | kinds, peers, widths, octets)
    if len(rejected):
        source_ends, source_widths = lines.ends(fields.srcaddr), _widths(lines, fields.srcaddr, rejected)
        target_ends, target_widths = lines.ends(fields.dstaddr), _widths(lines, fields.dstaddr, rejected)
        are_short = _are_short(np.maximum(source_widths, target_widths))
        collector.add_rejects(
            groups[decided.of_line[rejected]],
            _tails(lines, source_ends, decided.source_tails, rejected, are_short),
            source_widths,
            _tails(lines, target_ends, decided.target_tails, rejected, are_short),
            target_widths,
            _PROTOCOLS.take(decided.protocol[rejected]),
            lines.words_before(lines.ends(fields.dstport or 0)[rejected]),
            _widths(lines, fields.dstport, rejected),
        )


def _sampled(decided: Decided, counts: Sequence[int], collector: Collector) -> tuple[Integers, Numbers]:
    """Return some of the accepted lines, each with the bytes that it stands for.

    A line that has a large share of its log stream's bytes always stands for itself. Any other is chosen with a
    probability of its bytes by a threshold, and stands for the threshold, so that sums are right on average: if the sum
    of all bytes passes a multiple of the threshold with it. As that is a power of two, a higher bit changes.
    """
    are_accepted = decided.counted & (decided.action == _ACCEPT)
    number = len(are_accepted)
    if number <= _SAMPLES:
        accepted = np.flatnonzero(are_accepted)
        return accepted, decided.octets[accepted].astype(np.float64)
    sums = collector.sums(decided.octets, are_accepted)
    of_log_streams = sums[[*accumulate(counts, initial=0)]]
    samples = max(_LEAST_SAMPLES, max(_SAMPLES, number // _EVERY) // len(counts))
    thresholds = _powers_of_two((of_log_streams[1:] - of_log_streams[:-1]) / samples).repeat(counts)
    (chosen,) = ((sums[1:] ^ sums[:-1]) >= thresholds).nonzero()
    return chosen, np.maximum(decided.octets[chosen], thresholds[chosen], dtype=np.float64)


def _powers_of_two(numbers: Numbers) -> Words:
    """Return about these numbers as powers of two, at least 1."""
    # Of a number with a fraction of 0, only the exponent is left.
    return ((numbers * math.sqrt(2.0) + 1.0).view(np.uint64) & _EXPONENT).view(np.float64).astype(np.uint64)


def _widths(lines: Lines, field: int | None, rows: Integers) -> Integers:
    """Return the widths of a field in some lines, 0 without the field."""
    if field is None:
        return np.zeros(len(rows), np.int64)
    widths: Integers = lines.ends(field)[rows] - lines.starts(field)[rows]
    widths -= 1
    return widths


def _are_short(widths: Integers) -> bool:
    return int(widths.max()) <= WORD * SHORT


def _tails(lines: Lines, ends: Integers, tails: Sequence[Words], rows: Integers, are_short: bool) -> list[Words]:
    """Return the last words of an end in some lines, of which `tails` are some; far apart, they take long to read."""
    return [tail[rows] for tail in tails] if are_short else lines.tails(ends[rows], LONG)
