"""Who sent what since the last commit, collected from columns and from single records, in bounded memory.

The same records give the same sketch, from columns or one by one, unless so many names are seen that some are dropped:
then each is within its error. Does no I/O, and never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast
from weakref import WeakMethod

import numpy as np

from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.who.distinct_groups import DistinctGroups
from kcl_flowlog.counting.who.heaviest import Rows, Summary, merge
from kcl_flowlog.counting.who.kinds import EGRESS, INGRESS, KIND_BITS, KINDS, PAIR, PORT, SOURCE
from kcl_flowlog.counting.who.names import (
    WORD,
    Flags,
    Integers,
    Numbers,
    Words,
    are_ports,
    canonical,
    cut,
    fields_of,
    hash_of,
    named,
    pairs,
)
from kcl_flowlog.counting.who.sketches import Sketches

_MOST_PENDING = 16_384
_MOST_ROWS = 24_576
_BATCH = 4096
# No more than are sampled.
_MOST_WAITING = 512
# The first single records that are accepted; of those after them, about half as many stand for as many bytes.
_MOST_ACCEPTED = 256
_LEAST_STANDING = 128
# The values of a single record.
_REJECT, _ACCEPT = 5, 3
_GOLDEN = 0.6180339887498949
# Without a pattern, whatever power of two it is divided by.
_FIRST_SUM = np.int64(0x1E3779B97F4A7C15)
_SAMPLES = 512
"""Of more than twice as many rejected flows that come together, about as many are looked at."""

_Names = tuple[Integers, Sequence[Words], Numbers]
"""The groups of names, their words, and their flows or bytes."""


class _Batches:
    """Columns of a few rows, which `use` gets many at a time; those with other columns apart."""

    def __init__(self, use: Callable[[Sequence[Any]], None]) -> None:
        # A method of the owner: a cycle with it would keep its megabytes until some collection of garbage.
        self._use = WeakMethod(use)
        self._parts: dict[int, list[Sequence[Any]]] = {}
        self._rows = 0

    def add(self, columns: Sequence[Any]) -> None:
        """Add rows."""
        self._parts.setdefault(len(columns), []).append(columns)
        self._rows += len(columns[0])
        if self._rows >= _BATCH:
            self.finish()

    def finish(self) -> None:
        """Hand over all rows."""
        parts, self._parts = self._parts, {}
        self._rows = 0
        # Its owner is there, as nobody else calls this.
        use = cast(Callable[[Sequence[Any]], None], self._use())
        for several in parts.values():
            use([np.concatenate(columns) for columns in zip(*several, strict=True)])


class _Numbers(dict[str, int]):
    """The numbers of names, of which a new one gets the next."""

    def __missing__(self, name: str) -> int:
        self[name] = number = len(self)
        return number


class _Protocols(dict[str, int]):
    """The word of each protocol, as the name of a port begins."""

    def __missing__(self, protocol: str) -> int:
        self[protocol] = word = int.from_bytes(f"{protocol}/".encode().rjust(WORD, b"\0"), "little")
        return word


_PROTOCOLS = _Protocols()


class Collector:
    """Collects what one commit adds."""

    def __init__(self) -> None:
        self.subnets = _Numbers()
        self._summary = Summary()
        self._pending: list[_Names] = []
        self._pending_count = 0
        self._distinct = DistinctGroups()
        self._is_distinct_behind = False
        self._start = 0.0
        self._last_sum = _FIRST_SUM
        self._small_rejects = _Batches(self._count_rejects)
        self._small_accepts = _Batches(self._count_accepts)
        # Single records that wait for each other, value by value: many tuples keep the garbage collector at work.
        self._rejects: list[str] = []
        self._accepts: list[Any] = []
        # The bytes of single records that others stand for.
        self._stood_for = 0
        self.carried = 0
        """The bytes of single records that no record stands for yet; from `threshold` on, the next is wanted."""
        self.threshold = 0

    @property
    def size(self) -> int:
        """The memory of the distinct counts in bytes, which grows with the names seen."""
        return self._distinct.size

    def sums(self, octets: Integers, are_accepted: Flags) -> Words:
        """Return the sums of the bytes of accepted lines, before the first line and after each.

        They go on where those of the last block ended, and lack what has no room in a word.
        """
        sums = np.empty(len(octets) + 1, np.int64)
        sums[0] = self._last_sum
        np.multiply(octets, are_accepted, out=sums[1:])
        # `np.cumsum` takes a third longer.
        np.add.accumulate(sums, out=sums)
        self._last_sum = sums[-1]
        return sums.view(np.uint64)

    def add_reject(self, subnet_id: str, source: str, destination: str, protocol: str, port: str) -> None:
        """Add a rejected flow between two addresses, or leave it out if one is missing."""
        self._rejects += (subnet_id, source, destination, protocol, port)
        if len(self._rejects) >= _MOST_WAITING * _REJECT:
            self._flush()

    def is_wanted(self, octets: int) -> bool:
        """Tell whether to add a flow if it is accepted; after the first of a commit only some, by their bytes.

        Each flow has its turn, also if it can't be added.
        """
        self.carried += octets
        if self.carried < self.threshold:
            return False
        stands_for = max(octets, self.threshold)
        self.carried -= stands_for
        self._stood_for += stands_for
        return True

    def add_accept(self, subnet_id: str, is_egress: bool, peer: str, octets: int) -> None:
        """Add the bytes of an accepted flow from or to a peer that `is_wanted`, or of others that it stands for."""
        group = self.subnets[subnet_id] << KIND_BITS | (EGRESS if is_egress else INGRESS)
        self._accepts += (group, peer, max(octets, self.threshold))
        if len(self._accepts) >= _MOST_ACCEPTED * _ACCEPT:
            self.threshold = (self._stood_for + self.carried) // _LEAST_STANDING
            self._flush()

    def add_rejects(
        self,
        groups: Integers,
        sources: Sequence[Words],
        source_widths: Integers,
        targets: Sequence[Words],
        target_widths: Integers,
        protocols: Words,
        ports: Words,
        port_widths: Integers,
    ) -> None:
        """Add rejected flows: their subnets as groups, the fields of their names, and their protocols with a slash.

        Of a field are given its last words, the last first, which may begin before the field, and its widths.
        The heaviest are looked for in some of the flows, evenly, if they are many: a spray must not cost much.
        """
        every = max(1, len(groups) // _SAMPLES)
        widths = source_widths, target_widths, port_widths
        columns = (groups, *widths, ports, protocols, *sources, *targets)
        if every > 1:
            self._count_rejects(columns, every)
        else:
            self._small_rejects.add(columns)

    def _count_rejects(self, columns: Sequence[Any], every: int = 1) -> None:
        groups, source_widths, target_widths, port_widths, port, protocols, *words = columns
        count = len(words) // 2
        sources, targets = cut(words[:count], source_widths), cut(words[count:], target_widths)
        ports = [*cut([port], port_widths), protocols]
        have_port = are_ports(ports[0], port_widths)
        if every > 1:
            self._distinct.add(groups | SOURCE, hash_of(sources))
            self._distinct.add(groups[have_port] | PORT, hash_of(ports)[have_port])
            some = slice(int(self._next_start() * every), None, every)
            groups, have_port = groups[some], have_port[some]
            sources, targets, ports = ([each[some] for each in words] for words in (sources, targets, ports))
        else:
            self._is_distinct_behind = True
        with_port = np.flatnonzero(have_port)
        weights = np.full(len(groups), float(every))
        self._put(
            (groups | SOURCE, sources, weights),
            (groups | PAIR, pairs(sources, targets), weights),
            (groups[with_port] | PORT, [each[with_port] for each in ports], weights[: len(with_port)]),
        )

    def add_accepts(self, groups: Integers, peers: Sequence[Words], widths: Integers, octets: Numbers) -> None:
        """Add the bytes of accepted flows: of each the group, and the peer as `add_rejects` says."""
        self._small_accepts.add((groups, widths, octets, *peers))

    def _count_accepts(self, columns: Sequence[Any]) -> None:
        groups, widths, octets, *words = columns
        self._put((groups, cut(words, widths), octets))

    def _next_start(self) -> float:
        """Return a number from 0 to 1, at which the next sample starts; they are spread evenly."""
        self._start = (self._start + _GOLDEN) % 1.0
        return self._start

    def take(self, step: int) -> Sketches:
        """Return all that was added, as of a step of five minutes; nothing may be added afterwards."""
        self._flush()
        for batches in (self._small_rejects, self._small_accepts):
            batches.finish()
        self._merge()
        return Sketches(step, [*self.subnets], self._summary, self._distinct.sets())

    def _put(self, *several: _Names) -> None:
        self._pending += several
        self._pending_count += sum(len(groups) for groups, *_ in several)
        if self._pending_count >= _MOST_PENDING:
            self._merge()

    def _merge(self) -> None:
        parts = [self._summary]
        if self._pending_count:
            groups, words, weights = zip(*self._pending, strict=True)
            self._pending.clear()
            self._pending_count = 0
            texts, hashes = named(words, [*map(len, groups)])
            rows = Rows(np.concatenate(groups), hashes, texts, np.concatenate(weights), np.zeros(len(hashes)))
            parts.append(Summary(rows))
        self._summary = merge(parts, len(self.subnets) << KIND_BITS, _MOST_ROWS, on_names=self._count_names)

    def _count_names(self, groups: Integers, hashes: Words) -> None:
        """Count distinct names, unless they have been counted."""
        if self._is_distinct_behind:
            self._is_distinct_behind = False
            rows = np.flatnonzero(groups & (KINDS - 1) <= PORT)
            self._distinct.add(groups[rows], hashes[rows])

    def _flush(self) -> None:
        """Add the single records that wait, as columns."""
        rejects, self._rejects = self._rejects, []
        accepts, self._accepts = self._accepts, []
        if rejects:
            self._add_columns(*(rejects[place::_REJECT] for place in range(_REJECT)))
        if accepts:
            groups, peers, octets = (accepts[place::_ACCEPT] for place in range(_ACCEPT))
            (names,) = fields_of(canonical(peers))
            self.add_accepts(np.array(groups, np.int64), *names, np.array(octets, np.float64))

    def _add_columns(
        self,
        subnet_ids: Sequence[str],
        sources: Sequence[str],
        targets: Sequence[str],
        protocols: Sequence[str],
        ports: Sequence[str],
    ) -> None:
        if NO_VALUE in sources or NO_VALUE in targets:
            columns = subnet_ids, sources, targets, protocols, ports
            rows = [row for row, pair in enumerate(zip(sources, targets, strict=True)) if NO_VALUE not in pair]
            if rows:
                self._add_columns(*([column[row] for row in rows] for column in columns))
            return
        addresses = fields_of(canonical(sources), canonical(targets))
        # A port has no more than a word; the width tells that a longer text is not a port.
        ((port, *_), port_widths) = fields_of(ports)[0]
        words = np.array([_PROTOCOLS[protocol] for protocol in protocols], np.uint64)
        numbers = self.subnets
        groups = np.array([numbers[subnet_id] for subnet_id in subnet_ids], np.int64) << KIND_BITS
        self.add_rejects(groups, *addresses[0], *addresses[1], words, port, port_widths)
