"""Who sent what since the last commit, collected from columns and from single records, in bounded memory.

The same records give the same sketch, from columns or one by one, unless so many names are seen that some are dropped:
then each is within its error. Does no I/O, and never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast
from weakref import WeakMethod

import numpy as np

from kcl_flowlog.counting.who.distinct_groups import DistinctGroups
from kcl_flowlog.counting.who.heaviest import Rows, Summary, merge
from kcl_flowlog.counting.who.kinds import EGRESS, INGRESS, KIND_BITS, PAIR, PORT, SOURCE
from kcl_flowlog.counting.who.names import (
    SHORT,
    Flags,
    Integers,
    Numbers,
    Words,
    column,
    hash_of,
    pairs,
    words_needed,
    words_of,
)
from kcl_flowlog.counting.who.sketches import Sketches

_MOST_PENDING = 16_384
_MOST_ROWS = 24_576
_BATCH = 4096
# No more than are sampled.
_MOST_WAITING = 512
_GOLDEN = 0.6180339887498949
LONGEST_PORT = 5
_SAMPLES = 512
"""Of more than twice as many rejected flows that come together, about as many are looked at."""


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


class Collector:
    """Collects what one commit adds."""

    def __init__(self) -> None:
        self._subnets: dict[str, int] = {}
        self._summary = Summary()
        self._pending: list[Rows] = []
        self._pending_count = 0
        self._distinct = DistinctGroups()
        self._start = 0.0
        self._small_rejects = _Batches(self._count_rejects)
        self._small_accepts = _Batches(self._count_accepts)
        # Single records that wait for each other.
        self._rejects: list[tuple[int, str, str, str]] = []
        self._accepts: list[tuple[int, str, float]] = []
        # Of single records, the bytes that others stand for.
        self._stood_for = 0.0
        self.carried = 0.0
        """The bytes of single records that no record stands for yet; from `threshold` on, the next is wanted."""
        self.threshold = 0.0

    @property
    def size(self) -> int:
        """The memory of the distinct counts in bytes, which grows with the names seen."""
        return self._distinct.size

    def subnet(self, subnet_id: str) -> int:
        """Return the number of a subnet."""
        return self._subnets.setdefault(subnet_id, len(self._subnets))

    def next_start(self) -> float:
        """Return a number from 0 to 1, at which the next sample starts; they are spread evenly."""
        self._start = (self._start + _GOLDEN) % 1.0
        return self._start

    def add_reject(self, subnet_id: str, source: str, destination: str, protocol: str, port: str) -> None:
        """Add a rejected flow."""
        has_port = port.isascii() and port.isdecimal() and len(port) <= LONGEST_PORT and port != "0"
        name = f"{protocol}/{port}" if has_port else ""
        self._rejects.append((self.subnet(subnet_id), source, destination, name))
        if len(self._rejects) >= _MOST_WAITING:
            self._flush()

    def add_accept(self, subnet_id: str, is_egress: bool, peer: str, octets: int) -> None:
        """Add the bytes of an accepted flow from or to a peer, or of others that it stands for, if `is_wanted`."""
        stands_for = max(float(octets), self.threshold)
        self.carried -= stands_for
        self._stood_for += stands_for
        self._accepts.append((group_of(self.subnet(subnet_id), EGRESS if is_egress else INGRESS), peer, stands_for))
        if len(self._accepts) >= _MOST_WAITING:
            self.threshold = (self._stood_for + self.carried) / _MOST_WAITING
            self._flush()

    def is_wanted(self, octets: int) -> bool:
        """Tell whether to add an accepted flow; after the first of a commit only some, by their bytes."""
        self.carried += octets
        return self.carried >= self.threshold

    def add_rejects(
        self,
        subnets: Integers,
        sources: Sequence[Words],
        destinations: Sequence[Words],
        ports: Sequence[Words],
        have_port: Flags,
    ) -> None:
        """Add rejected flows: the number of their subnet, and the words of their names.

        The heaviest are looked for in some of them, evenly, if they are many: a spray must not cost much.
        """
        every = max(1, len(subnets) // _SAMPLES)
        columns = (subnets << KIND_BITS, have_port, *ports, *sources, *destinations)
        if every > 1:
            self._count_rejects(columns, every)
        else:
            self._small_rejects.add(columns)

    def _count_rejects(self, columns: Sequence[Any], every: int = 1) -> None:
        groups, have_port, *words = columns
        ports, count = words[:SHORT], (len(words) - SHORT) // 2
        sources, destinations = words[SHORT : SHORT + count], words[SHORT + count :]
        source_hashes, port_hashes = hash_of(sources), hash_of(ports)
        self._distinct.add(groups | SOURCE, source_hashes)
        self._distinct.add(groups[have_port] | PORT, port_hashes[have_port])
        some = slice(int(self.next_start() * every), None, every)
        groups, have_port = groups[some], have_port[some]
        sources, destinations = ([each[some] for each in words] for words in (sources, destinations))
        weights, zeros = np.full(len(groups), float(every)), np.zeros(len(groups))
        self._put(Rows(groups | SOURCE, source_hashes[some], column(sources), weights, zeros))
        both = pairs(sources, destinations)
        self._put(Rows(groups | PAIR, hash_of(both), column(both), weights, zeros))
        rows = np.flatnonzero(have_port)
        names = column([each[some][rows] for each in ports])
        self._put(Rows(groups[rows] | PORT, port_hashes[some][rows], names, weights[rows], zeros[rows]))

    def add_accepts(self, groups: Integers, peers: Sequence[Words], octets: Numbers) -> None:
        """Add the bytes of accepted flows; `group_of` tells the group of each."""
        self._small_accepts.add((groups, octets, *peers))

    def _count_accepts(self, columns: Sequence[Any]) -> None:
        groups, octets, *peers = columns
        self._put(Rows(groups, hash_of(peers), column(peers), octets, np.zeros(len(groups))))

    def take(self, step: int) -> Sketches:
        """Return all that was added, as of a step of five minutes; nothing may be added afterwards."""
        self._flush()
        for batches in (self._small_rejects, self._small_accepts):
            batches.finish()
        self._merge(kept=True)
        return Sketches(step, [*self._subnets], self._summary, dict(self._distinct.sets()))

    def _put(self, rows: Rows) -> None:
        if len(rows.groups):
            self._pending.append(rows)
            self._pending_count += len(rows.groups)
            if self._pending_count >= _MOST_PENDING:
                self._merge()

    def _merge(self, kept: bool = False) -> None:
        pending, self._pending = self._pending, []
        self._pending_count = 0
        count = len(self._subnets) << KIND_BITS
        self._summary = merge([self._summary, *map(Summary, pending)], count, _MOST_ROWS, kept)

    def _flush(self) -> None:
        """Add the single records that wait, as columns."""
        rejects, self._rejects = self._rejects, []
        accepts, self._accepts = self._accepts, []
        if rejects:
            numbers, sources, destinations, ports = zip(*rejects, strict=True)
            count = words_needed([*sources, *destinations])
            have_port = np.array([port != "" for port in ports], np.bool_)
            # As columns read them: the protocol, and in the last word the number.
            names = [
                f"{protocol}{slash}{port:\0>8}" for protocol, slash, port in (port.partition("/") for port in ports)
            ]
            self.add_rejects(
                np.array(numbers, np.int64),
                words_of(sources, count),
                words_of(destinations, count),
                words_of(names, SHORT),
                have_port,
            )
        if accepts:
            groups, peers, octets = zip(*accepts, strict=True)
            words = words_of(peers, words_needed(peers))
            self.add_accepts(np.array(groups, np.int64), words, np.array(octets, np.float64))


def group_of(subnet: int, kind: int) -> int:
    """Return the group of a kind of names of a subnet."""
    return subnet << KIND_BITS | kind
