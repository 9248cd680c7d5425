"""The inventory, read from EC2 on a schedule and saved for the processors.

All of EC2 is listed once an interval; interfaces that records name meanwhile
are looked up. An unreachable EC2 is not an error: what was known stays in
force, and the next attempt follows. Only if nothing is known and EC2 permits
no account to list its subnets, nothing can be counted, and `refresh` raises
`ConfigError`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.inventory_packing import check_networks
from kcl_flowlog.counting.subnets import Interface, Inventory
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory import coverage, overlaps
from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_denied, one_line
from kcl_flowlog.inventory.coverage import Coverage
from kcl_flowlog.inventory.ec2 import read_inventory
from kcl_flowlog.inventory.interface_details import KeptDetails, ignore
from kcl_flowlog.inventory.lookups import Lookups
from kcl_flowlog.inventory.merge import Reading, merge, with_interfaces
from kcl_flowlog.inventory.overlaps import Overlap
from kcl_flowlog.inventory.problems import ProblemLog

log = logging.getLogger(__name__)

_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0
# A failing source is read again before the interval is over, but the whole account shares EC2's request quota.
_FIRST_PAUSE = 60.0
# An interface in a new subnet causes a refresh, because the subnet and its flow logs are unknown, too.
_MIN_INTERVAL = 300.0

REFRESH_OUTCOMES = {
    "ok": "EC2 was read in every account and region.",
    "error": "EC2 refused or could not be reached somewhere, or the disk is full. What was known stays in force.",
}
"""The outcomes of flowlog_inventory_refreshes_total."""


class InventoryKeeper:
    """Keeps an inventory current in a thread.

    `saved` is the inventory of an earlier run as JSON, or None; `save` stores an inventory for the next run and for the
    processors, or raises `OSError`.
    `interval` is the time between two refreshes, and `ttl` how long a vanished subnet stays known, in seconds.
    `clock` returns Unix seconds. `details` keeps what EC2 tells of interfaces; None if nobody wants to know.

    `step` does what is due; `start` calls it in a thread.
    """

    def __init__(
        self,
        readers: Sequence[SourceReader],
        saved: bytes | None,
        save: Callable[[Inventory], None],
        interval: float,
        ttl: float,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        details: KeptDetails | None = None,
    ) -> None:
        # long because each attribute is one line.
        self.details = details
        self._readers = readers
        self._save = save
        self._interval = interval
        self._ttl = ttl
        self._clock = clock
        self._monotonic = monotonic
        self._lookups = Lookups(readers, clock, monotonic)
        self._refreshed_at = monotonic()
        self._due_at = self._refreshed_at + interval
        self._failed: list[SourceReader] = []
        self._retry_at = math.inf
        self._pause = _FIRST_PAUSE
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.refreshes: Counter[str] = Counter(dict.fromkeys(REFRESH_OUTCOMES, 0))
        self.current = _load(saved)
        self.overlaps: list[Overlap] = overlaps.find(self.current)
        self.coverage: Coverage = coverage.find(self.current)
        self._problems = ProblemLog(self.overlaps)

    @property
    def has_inventory(self) -> bool:
        """Whether any inventory is known, new or saved."""
        return bool(self.current.taken_at)

    def refresh(self) -> bool:
        """Read EC2 now, in every account and region. Returns whether a new inventory is in force.

        Raises `ConfigError` if nothing is known and every account forbids to list its subnets.
        """
        self._refreshed_at = self._monotonic()
        self._due_at = self._refreshed_at + self._interval
        return self._refresh(self._readers)

    def _refresh(self, readers: Sequence[SourceReader]) -> bool:
        answers = {reader.source.key: self._read(reader) for reader in readers}
        errors = {key: answer for key, answer in answers.items() if isinstance(answer, Exception)}
        # A permission does not come back by asking.
        failed = [key for key, error in errors.items() if not is_denied(error)]
        if len(errors) == len(answers):
            self.refreshes["error"] += 1
            self._plan_retry(failed)
            if not self.has_inventory and all(map(is_denied, errors.values())):
                raise ConfigError("No permission to list the subnets; allow the action ec2:DescribeSubnets.") from next(
                    iter(errors.values())
                )
            return False
        inventories = {key: answer for key, answer in answers.items() if isinstance(answer, Inventory)}
        readings = [Reading(reader.source, inventories.get(reader.source.key)) for reader in self._readers]
        if not self._put_in_force(merge(self.current, readings, self._ttl)):
            self.refreshes["error"] += 1
            self._plan_retry(answers)
            return False
        self._plan_retry(failed)
        self._evaluate()
        self.refreshes["error" if errors else "ok"] += 1
        return True

    def _plan_retry(self, failed: Collection[str]) -> None:
        """Read the sources with these keys again before the interval is over, at growing pauses."""
        self._failed = [reader for reader in self._readers if reader.source.key in failed]
        if not self._failed:
            self._pause, self._retry_at = _FIRST_PAUSE, math.inf
            return
        self._retry_at = self._monotonic() + self._pause
        self._pause = min(2 * self._pause, self._interval)

    def _read(self, reader: SourceReader) -> Inventory | Exception:
        try:
            account_id, ec2 = reader.open()
            source = msgspec.structs.replace(reader.source, account_id=account_id)
            note = ignore if self.details is None else self.details.note
            inventory = read_inventory(ec2, source, self._clock(), reader.subnet_tags, note)
        except AWS_ERRORS as error:
            self._problems.log_unread(reader.source, one_line(error))
            return error
        self._problems.note_read(reader.source)
        return inventory

    def _put_in_force(self, inventory: Inventory) -> bool:
        """Save an inventory and make it current. Returns False if it can't be saved."""
        try:
            self._save(inventory)
        except OSError as error:
            log.warning(
                "Cannot save the inventory; keeping the last inventory", extra={"fields": {"error": str(error)}}
            )
            return False
        self.current = inventory
        return True

    def _evaluate(self) -> None:
        """Find and log what is wrong with the flow logs, which only a refresh reads."""
        if self.details is not None:
            self.details.keep({interface.interface_id for interface in self.current.interfaces})
        self.overlaps = overlaps.find(self.current)
        self.coverage = coverage.find(self.current)
        numbers = {name: len(getattr(self.current, name)) for name in ("subnets", "interfaces", "flow_logs")}
        log.info("Read the inventory", extra={"fields": numbers})
        self._problems.log_missing_permissions(self.current.sources)
        self._problems.log_overlaps(self.overlaps)
        self._problems.log_coverage(self.coverage)

    def wait_for_inventory(self, wait: Callable[[float], bool]) -> bool:
        """Read EC2, and try again until an inventory is known and the processors have it. Returns whether they do.

        `wait(seconds)` pauses between two attempts, and returns True to give up.
        """
        pause = _FIRST_RETRY
        while not (self.refresh() or self._use_saved()):
            if wait(pause):
                return False
            pause = min(2 * pause, _LAST_RETRY)
        return True

    def _use_saved(self) -> bool:
        """Save the inventory of an earlier run again: an earlier version may have written what processors read."""
        return self.has_inventory and self._put_in_force(self.current)

    def look_up(self, interface_ids: Iterable[str]) -> None:
        """Look up interfaces that records name and the inventory lacks: soon, all of a minute together."""
        if self._lookups.request(interface_ids):
            self._wake.set()

    def step(self) -> float:
        """Read from EC2 what is due; return the seconds until something is due again."""
        now = self._monotonic()
        if now >= self._due_at:
            self.refresh()
        elif now >= self._retry_at:
            self._refresh(self._failed)
        elif now >= self._lookups.due_at:
            self._put_in_place(self._lookups.find(self.current))
        return max(0.0, min(self._due_at, self._retry_at, self._lookups.due_at) - self._monotonic())

    def _put_in_place(self, found: Collection[Interface]) -> None:
        """Add interfaces to the inventory; if a subnet of them is new, plan a refresh."""
        if not found:
            return
        known = {subnet.subnet_id for subnet in self.current.subnets}
        known.update(interface.subnet_id for interface in self.current.interfaces)
        if not known.issuperset(interface.subnet_id for interface in found):
            self._due_at = min(self._due_at, self._refreshed_at + _MIN_INTERVAL)
        if not self._put_in_force(with_interfaces(self.current, found)):
            self._lookups.request(interface.interface_id for interface in found)

    def start(self) -> None:
        """Refresh in a thread from now on."""
        self._thread = threading.Thread(target=self._run, name="inventory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, without waiting for a refresh that is under way."""
        self._stopping.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(self.step())
            self._wake.clear()


def _load(saved: bytes | None) -> Inventory:
    if saved is None:
        return Inventory()
    try:
        inventory = subnets.load(saved)
        check_networks(inventory)
    except (msgspec.DecodeError, ValueError) as error:
        log.warning("Cannot read the saved inventory; reading EC2 instead", extra={"fields": {"error": str(error)}})
        return Inventory()
    return inventory
