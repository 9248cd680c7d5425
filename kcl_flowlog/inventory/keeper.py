"""The inventory, read from EC2 on a schedule and saved for the processors.

An unreachable EC2 is not an error: what was known stays in force, and the next
attempt follows. Only if nothing is known and EC2 permits no account to list
its subnets, nothing can be counted, and `refresh` raises `ConfigError`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory import overlaps
from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_denied, one_line
from kcl_flowlog.inventory.ec2 import read_inventory
from kcl_flowlog.inventory.merge import Reading, merge
from kcl_flowlog.inventory.overlaps import Overlap
from kcl_flowlog.inventory.problems import ProblemLog

log = logging.getLogger(__name__)

# Unknown interfaces trigger refreshes; the whole account shares EC2's request quota.
_MIN_REQUEST_INTERVAL = 60.0
_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0

REFRESH_OUTCOMES = {
    "ok": "EC2 was read in every account and region.",
    "error": "EC2 refused or could not be reached somewhere, or the disk is full. What was known stays in force.",
}
"""The outcomes of flowlog_inventory_refreshes_total."""


class InventoryKeeper:
    """Keeps an inventory current in a thread.

    `saved` is the inventory of an earlier run as JSON, or None; `save` stores an inventory, or raises `OSError`.
    `interval` is the time between two refreshes, and `ttl` how long a vanished subnet stays known, in seconds.
    `clock` returns Unix seconds.
    """

    def __init__(
        self,
        readers: Sequence[SourceReader],
        saved: bytes | None,
        save: Callable[[bytes], None],
        interval: float,
        ttl: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._readers = readers
        self._save = save
        self._interval = interval
        self._ttl = ttl
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._requested_at = 0.0
        self.refreshes: Counter[str] = Counter(dict.fromkeys(REFRESH_OUTCOMES, 0))
        self.current = _load(saved)
        self.overlaps: list[Overlap] = overlaps.find(self.current)
        self._problems = ProblemLog(self.overlaps)

    @property
    def has_inventory(self) -> bool:
        """Whether any inventory is known, new or saved."""
        return bool(self.current.taken_at)

    def refresh(self) -> bool:
        """Read EC2 now. Returns whether a new inventory is in force.

        Raises `ConfigError` if nothing is known and every account forbids to list its subnets.
        """
        answers = [self._read(reader) for reader in self._readers]
        errors = [answer for answer in answers if isinstance(answer, Exception)]
        if len(errors) == len(answers):
            self.refreshes["error"] += 1
            if not self.has_inventory and all(map(is_denied, errors)):
                raise ConfigError(
                    "No permission to list the subnets; allow the action ec2:DescribeSubnets."
                ) from errors[0]
            return False
        readings = [
            Reading(reader.source, answer if isinstance(answer, Inventory) else None)
            for reader, answer in zip(self._readers, answers, strict=True)
        ]
        if not self._put_in_force(merge(self.current, readings, self._ttl)):
            self.refreshes["error"] += 1
            return False
        self.refreshes["error" if errors else "ok"] += 1
        return True

    def _read(self, reader: SourceReader) -> Inventory | Exception:
        try:
            account_id, ec2 = reader.open()
            source = msgspec.structs.replace(reader.source, account_id=account_id)
            inventory = read_inventory(ec2, source, self._clock(), reader.subnet_tags)
        except AWS_ERRORS as error:
            self._problems.log_unread(reader.source, one_line(error))
            return error
        self._problems.note_read(reader.source)
        return inventory

    def _put_in_force(self, inventory: Inventory) -> bool:
        """Save an inventory and make it current. Returns False if it can't be saved."""
        try:
            self._save(subnets.dump(inventory))
        except OSError as error:
            log.warning(
                "Cannot save the inventory; keeping the last inventory", extra={"fields": {"error": str(error)}}
            )
            return False
        self.current, self.overlaps = inventory, overlaps.find(inventory)
        numbers = {name: len(getattr(inventory, name)) for name in ("subnets", "interfaces", "flow_logs")}
        log.info("Read the inventory", extra={"fields": numbers})
        self._problems.log_missing_permissions(inventory.sources)
        self._problems.log_overlaps(self.overlaps)
        return True

    def wait_for_inventory(self, wait: Callable[[float], bool]) -> bool:
        """Read EC2, and try again until an inventory is known. Returns whether it is.

        `wait(seconds)` pauses between two attempts, and returns True to give up.
        """
        pause = _FIRST_RETRY
        while not self.refresh() and not self.has_inventory:
            if wait(pause):
                return False
            pause = min(2 * pause, _LAST_RETRY)
        return True

    def request_refresh(self) -> None:
        """Refresh soon, because of an unknown interface; at most once a minute."""
        now = self._clock()
        if now - self._requested_at >= _MIN_REQUEST_INTERVAL:
            self._requested_at = now
            self._wake.set()

    def start(self) -> None:
        """Refresh in a thread from now on."""
        self._thread = threading.Thread(target=self._run, name="inventory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, without waiting for a refresh that is under way."""
        self._stopping.set()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._interval)
            self._wake.clear()
            if self._stopping.is_set():
                return
            self.refresh()


def _load(saved: bytes | None) -> Inventory:
    if saved is None:
        return Inventory()
    try:
        return subnets.load(saved)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("Cannot read the saved inventory; reading EC2 instead", extra={"fields": {"error": str(error)}})
        return Inventory()
