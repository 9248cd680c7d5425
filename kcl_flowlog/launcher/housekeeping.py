"""The chores of an instance, each at its own interval, and the conditions that end it.

Settles commits that processors left behind, writes the dead-letter file, drops the series of deleted subnets, and
removes what was kept of who sent what before `--no-who`. A chore that a full disk refuses is put off; its data is still
in the ledger. A damaged ledger, or denials that can't be written, raise `FlowlogError`, because waiting repairs
neither. `step` never sleeps.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from kcl_flowlog.commits.damage import DamageNote, LedgerError
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.launcher.dead_letters import write_dead_letters
from kcl_flowlog.launcher.every import Every
from kcl_flowlog.launcher.who_removal import WhoRemoval

log = logging.getLogger(__name__)

SETTLE_INTERVAL = 2.0
DEAD_LETTERS_INTERVAL = 1.0
FORGET_INTERVAL = 600.0
# How long the chores rest after the disk refused one of them.
REFUSED_PAUSE = 10.0


class DenialsOutput(Protocol):
    """Where denials go, such as `kcl_flowlog.launcher.inbox.Inbox`."""

    denials_error: OSError | None


class CommitSettler(Protocol):
    """Settles commits, such as `kcl_flowlog.launcher.registrar.Registrar`."""

    def settle_left(self) -> bool:
        """Settle what can be settled; return whether the lease table answered."""


class KnownSubnets(Protocol):
    """Knows the subnets that exist, such as `kcl_flowlog.inventory.keeper.InventoryKeeper`."""

    current: Inventory


class Housekeeping:
    """Does the chores of one instance. Use it from the thread that opened the ledger.

    The dead-letter file is rotated at `dead_letter_limit` bytes. A deleted subnet keeps its series for `series_ttl`
    seconds after its last traffic. With `removes_who` nothing stays of who sent what.
    """

    def __init__(
        self,
        ledger: Ledger,
        settler: CommitSettler,
        denials: DenialsOutput,
        inventory: KnownSubnets,
        dead_letters: Path,
        dead_letter_limit: int,
        series_ttl: float,
        damage: DamageNote,
        removes_who: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._settler = settler
        self._denials = denials
        self._inventory = inventory
        self._dead_letters = dead_letters
        self._dead_letter_limit = dead_letter_limit
        self._series_ttl = series_ttl
        self._damage = damage
        self._who_removal = WhoRemoval(ledger, clock) if removes_who else None
        self._clock = clock
        self._time_noted_at = clock()
        self._settling = Every(SETTLE_INTERVAL, clock)
        self._writing_dead_letters = Every(DEAD_LETTERS_INTERVAL, clock)
        self._forgetting = Every(FORGET_INTERVAL, clock)
        # A subnet that was deleted while no instance ran keeps its series a little longer.
        self._forgetting.put_off(FORGET_INTERVAL)

    def begin(self) -> None:
        """Settle what earlier runs have left, if the lease table answers; call it before anything is shown.

        If the ledger is a copy, its original may have shown such a commit, and a total must not be shown without it.
        """
        with self._tolerate_refusal("settling what was left waits"):
            self._ledger.begin_generation()
            self._settler.settle_left()
            if self._who_removal is not None:
                self._who_removal.step()

    def step(self) -> None:
        """Do the chores that are due. Raises `FlowlogError` if the instance can't go on."""
        error = self._denials.denials_error
        if error is not None:
            raise FlowlogError(f"Denials can't be written to stdout any more ({error}); check what reads them.")
        with self._tolerate_refusal(f"trying again in {REFUSED_PAUSE:g} s"):
            if self._damage.error is not None:
                raise self._damage.error
            if self._settling.is_due():
                self._settler.settle_left()
            if self._writing_dead_letters.is_due():
                self._write_dead_letters()
            if self._who_removal is not None:
                self._who_removal.step()
            if self._forgetting.is_due():
                self._forget_idle_subnets()

    def finish(self, deadline: float, wait: Callable[[float], bool]) -> None:
        """Settle what the daemon left when it stopped, and write the last dead letters.

        While the lease table does not answer, tries again until `deadline` on the clock, or until `wait(seconds)`
        returns True. The next start settles the rest.
        """
        with self._tolerate_refusal("the next start does the rest"):
            # A processor that outlived its daemon can write nothing from here on.
            self._ledger.begin_generation()
            while not self._settler.settle_left() and self._clock() < deadline:
                if wait(SETTLE_INTERVAL):
                    break
            self._write_dead_letters()
            self._note_time()

    @contextmanager
    def _tolerate_refusal(self, consequence: str) -> Iterator[None]:
        try:
            yield
        except (OSError, LedgerError) as error:
            self._damage.take(error)
            if self._damage.error is not None:
                damage = self._damage.error
                raise FlowlogError(
                    f"The ledger is damaged ({damage}); start again: that sets it aside and creates another."
                ) from error
            log.warning(
                "The state directory can't be written; %s", consequence, extra={"fields": {"error": str(error)}}
            )
            for chore in (self._settling, self._writing_dead_letters):
                chore.put_off(REFUSED_PAUSE)

    def _write_dead_letters(self) -> None:
        write_dead_letters(self._ledger, self._dead_letters, self._dead_letter_limit)

    def _note_time(self) -> None:
        passed = int(self._clock() - self._time_noted_at)
        self._ledger.pass_time(passed)
        self._time_noted_at += passed

    def _forget_idle_subnets(self) -> None:
        self._note_time()
        known = {subnet.subnet_id for subnet in self._inventory.current.subnets}
        # Traffic has the time that was noted before it, up to an interval earlier.
        for subnet_id in self._ledger.forget_idle_subnets(known, self._series_ttl + FORGET_INTERVAL):
            log.info(
                "Dropped the series of a deleted subnet without traffic",
                extra={"fields": {"subnet_id": subnet_id, "series_ttl_seconds": self._series_ttl}},
            )
