"""Who sent what: what the commits have added is added to steps of five minutes, in a thread; old steps are deleted.

Also keeps the distinct numbers that the metrics show. It is done a part at a time, so that its memory stays bounded
whatever the records name. A step outside the last hour, by the wall clock, is deleted, so a clock that leaps costs
what is known of who sent what, and nothing that is counted. So does a row that can't be read although it is intact, by
a fault of this program. An error of the ledger is noted, and tried again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from kcl_flowlog.commits import own_series, who_tables
from kcl_flowlog.commits.damage import DamageNote, LedgerError
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.who_tables import SubnetStep
from kcl_flowlog.counting.subnet_bounds import OTHER_SUBNET
from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.distinct import union
from kcl_flowlog.counting.who.kinds import KEPT, KIND_BITS, PORT, SOURCE
from kcl_flowlog.counting.who.sketches import Sketches
from kcl_flowlog.counting.who.steps import STEP, STEPS, STEPS_AHEAD

log = logging.getLogger(__name__)

T = TypeVar("T")

_INTERVAL = 10.0
_COUNTED_AT_A_TIME = 64
_SUBNETS_AT_A_TIME = 128
_SUBNETS_IN_FULL = 512
"""If a step has more subnets, each keeps less."""


class DistinctRejected(NamedTuple):
    """About how many sources and ports a subnet's rejected flows of the last hour had."""

    sources: int
    ports: int


class WhoKeeper:
    """Keeps the steps of one instance. `distinct` has the numbers of each subnet with rejected flows."""

    def __init__(
        self, open_ledger: Callable[[], Ledger], damage: DamageNote, clock: Callable[[], float] = time.time
    ) -> None:
        self._open_ledger = open_ledger
        self._damage = damage
        self._clock = clock
        self._stopping = threading.Event()
        self._forgot_at: int | None = None
        # Subnets whose numbers are to be counted anew; counting reads all their steps, so it is done by and by.
        self._changed: dict[str, None] = {}
        self.distinct: dict[str, DistinctRejected] = {}

    @property
    def is_behind(self) -> bool:
        """Whether numbers wait to be counted anew."""
        return bool(self._changed)

    def start(self) -> None:
        """Work in a thread from now on."""
        threading.Thread(target=self._run, name="who", daemon=True).start()

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stopping.set()

    def step(self) -> None:
        """Add what commits have added since, and delete what is old."""
        last = int(self._clock() // STEP)
        first = last - STEPS + 1
        try:
            with self._open_ledger() as ledger:
                while (rejecting := _add_some(ledger, first, last)) is not None:
                    self._changed |= dict.fromkeys(rejecting)
                if self._forgot_at != last:
                    self._forget(ledger, first, last)
                self._count(ledger, first, last)
        except LedgerError as error:
            self._damage.take(error)
            log.warning("Who sent what can't be kept; trying again", extra={"fields": {"error": str(error)}})

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL):
            self.step()

    def _forget(self, ledger: Ledger, first: int, last: int) -> None:
        """Delete old steps; the numbers of all subnets may change by that."""
        with ledger.begin() as db:
            who_tables.forget(db, first, last + STEPS_AHEAD)
            found = dict.fromkeys(who_tables.subnets(db, first, last))
        self._forgot_at = last
        self.distinct = {name: number for name, number in self.distinct.items() if name in found}
        self._changed |= found

    def _count(self, ledger: Ledger, first: int, last: int) -> None:
        """Count the distinct names of some subnets anew."""
        for subnet_id in [*self._changed][:_COUNTED_AT_A_TIME]:
            with ledger.begin("DEFERRED") as db:
                bodies = who_tables.steps_of(db, subnet_id, first, last)
            several = [*readable(bodies, sketches.decode_distinct)]
            found = DistinctRejected(
                *(union(each[kind] for each in several if kind in each).number() for kind in (SOURCE, PORT))
            )
            if any(found):
                self.distinct[subnet_id] = found
            else:
                self.distinct.pop(subnet_id, None)
            del self._changed[subnet_id]


def readable(bodies: Iterable[bytes], decode: Callable[[bytes], T]) -> Iterator[T]:
    """Yield what a function of `counting.who.sketches` decodes of rows; those that it refuses are left out."""
    for body in bodies:
        try:
            yield decode(body)
        except ValueError as error:
            # Its checksum is right, so no other file would help: as damage it would cost the totals, again and again.
            log.warning("A row of who sent what can't be read; left out", extra={"fields": {"error": str(error)}})


def _add_some(ledger: Ledger, first: int, last: int) -> list[str] | None:
    """Add what some commits have added to their steps; return the subnets that rejected, None if there was nothing."""
    with ledger.begin("DEFERRED") as db:
        added = who_tables.added(db)
        own = {subnet_id for subnet_id, _ in own_series.SUBNETS.all_rows(db)} if added else set()
    if not added:
        return None
    steps: dict[int, list[Sketches]] = {}
    rejecting: list[str] = []
    for part in readable((body for _, body in added), sketches.decode):
        # A clock that is ahead must not make steps without end.
        if first <= part.step <= last + STEPS_AHEAD:
            parts = list(_within(part, own))
            steps.setdefault(part.step, []).extend(parts)
            rejecting += [each.subnets[group >> KIND_BITS] for each in parts for group in each.distinct]
    written = [each for step, parts in steps.items() for each in _steps_with(ledger, step, parts)]
    with ledger.begin() as db:
        who_tables.replace(db, added[-1][0], written)
    return rejecting


def _within(part: Sketches, own: set[str]) -> Iterator[Sketches]:
    """Yield a sketch with the subnets that have separate series; all others are one, as in the totals."""
    if own.issuperset(part.subnets):
        yield part
        return
    for each in sketches.split(part):
        yield each if each.subnets[0] in own else Sketches(each.step, [OTHER_SUBNET], each.summary, each.distinct)


def _steps_with(ledger: Ledger, step: int, parts: Sequence[Sketches]) -> Iterator[SubnetStep]:
    """Yield a step's rows of the subnets that the parts have."""
    singles = list(sketches.split(sketches.combine(step, parts, kept=False)))
    share = min(1.0, _SUBNETS_IN_FULL / max(1, len(singles)))
    for some in _several(singles, _SUBNETS_AT_A_TIME):
        with ledger.begin("DEFERRED") as db:
            found = [body for each in some for body in who_tables.steps_of(db, each.subnets[0], step, step)]
        before = sketches.side_by_side(step, [*readable(found, sketches.decode)])
        most_rows = int(len(some) * sum(KEPT) * share)
        together = sketches.combine(step, [sketches.side_by_side(step, some), before], most_rows)
        for each in sketches.split(together):
            yield SubnetStep(step, each.subnets[0], sketches.encode(each))


def _several(items: Sequence[T], number: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), number):
        yield items[start : start + number]
