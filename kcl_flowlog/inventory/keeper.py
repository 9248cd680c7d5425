"""The subnets, interfaces and flow logs, read from EC2 and kept current.

One `SourceReader` is read after the other: each is an account in a region.
`merged` keeps what vanished known for a while, as records of a deleted
interface arrive for hours, and keeps all that is known of an origin that
could not be read. `InventoryKeeper` does this on a schedule, and writes the
result where the processors read it.

EC2 unreachable is not an error here; EC2 forbidding DescribeSubnets
everywhere is, since nothing can be counted then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.subnets import Inventory, Source
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory import overlaps
from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.inventory.aws import AWS_ERRORS, is_denied
from kcl_flowlog.inventory.ec2 import read_inventory
from kcl_flowlog.inventory.overlaps import Overlap

log = logging.getLogger(__name__)

# An unknown interface asks for an early refresh; EC2's request quota is shared with the whole account.
_EARLY_REFRESH_INTERVAL = 60.0
_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0
_MOST_OVERLAPS_TOLD = 5

REFRESH_OUTCOMES = {
    "ok": "EC2 was read, in every account and region.",
    "error": "EC2 refused or could not be reached somewhere, or the disk is full; what was known goes on.",
}


News = Sequence[tuple[Source, Inventory | None]]
"""What was read of each source, None where that failed."""


def merged(old: Inventory, news: News, ttl: float) -> Inventory:
    """Return what is known after each source was read anew.

    What a source has lost since is kept for `ttl` seconds, what could not be
    read for as long as it takes. Of what two sources name, each with a part of
    the truth, the subnet's owner knows its name.
    """
    read = [new for _, new in news if new is not None]
    if not read:
        return old
    now = max(new.taken_at for new in read)
    failed = {source.key for source, new in news if new is None}
    accounts = {source.key: source.account_id for new in read for source in new.sources}

    def joined(name: str, key: str) -> tuple[Any, ...]:
        identify = attrgetter(key)
        latest = [entry for new in read for entry in getattr(new, name)]
        if name == "subnets":
            latest.sort(key=lambda subnet: subnet.account_id != accounts[subnet.source])
        lost = [entry for entry in getattr(old, name) if entry.source in failed or entry.seen_at >= now - ttl]
        known: dict[str, Any] = {}
        for entry in (*latest, *lost):
            known.setdefault(identify(entry), entry)
        return tuple(known.values())

    return Inventory(
        now,
        joined("subnets", "subnet_id"),
        joined("interfaces", "interface_id"),
        joined("flow_logs", "flow_log_id"),
        tuple(new.sources[0] if new is not None else _as_before(source, old) for source, new in news),
    )


def _as_before(source: Source, old: Inventory) -> Source:
    return next((before for before in old.sources if before.key == source.key), source)


class InventoryKeeper:
    """Keeps an inventory current in a thread, and saves each one."""

    def __init__(
        self,
        origins: Sequence[SourceReader],
        saved: bytes | None,
        save: Callable[[bytes], None],
        interval: float,
        ttl: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._origins = origins
        self._save = save
        self._interval = interval
        self._ttl = ttl
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._early_at = 0.0
        self._told: set[str] = set()
        self.refreshes: Counter[str] = Counter(dict.fromkeys(REFRESH_OUTCOMES, 0))
        self.current = _load(saved)
        self.overlaps: list[Overlap] = overlaps.find(self.current)

    @property
    def is_there(self) -> bool:
        """Whether there is an inventory at all: a fresh or a saved one."""
        return bool(self.current.taken_at)

    def refresh(self) -> bool:
        """Read EC2 now; return whether that worked anywhere.

        Raises `ConfigError` where it is forbidden everywhere and nothing is known.
        """
        errors: list[Exception] = []
        news = [(origin.source, self._read(origin, errors)) for origin in self._origins]
        if len(errors) == len(news):
            self.refreshes["error"] += 1
            if not self.is_there and all(map(is_denied, errors)):
                raise ConfigError(
                    "EC2 does not permit to list the subnets; allow the action ec2:DescribeSubnets."
                ) from errors[0]
            return False
        current = merged(self.current, news, self._ttl)
        try:
            self._save(subnets.dump(current))
        except OSError as error:
            self.refreshes["error"] += 1
            log.warning("The inventory could not be saved; going on with the last good one: %s", error)
            return False
        self.current = current
        self.refreshes["error" if errors else "ok"] += 1
        log.info(
            "Read the inventory: %d subnets, %d interfaces, %d flow logs",
            *(len(known) for known in (current.subnets, current.interfaces, current.flow_logs)),
        )
        self._warn_of_missing_permissions()
        self._find_overlaps()
        return True

    def _read(self, origin: SourceReader, errors: list[Exception]) -> Inventory | None:
        try:
            account_id, ec2 = origin.open()
            source = msgspec.structs.replace(origin.source, account_id=account_id)
            return read_inventory(ec2, source, self._clock())
        except AWS_ERRORS as error:
            errors.append(error)
            log.warning(
                "The inventory of %s could not be read from EC2; going on with the last good one: %s",
                origin.source.key,
                error,
            )
            return None

    def first_read(self, wait: Callable[[float], bool]) -> bool:
        """Read EC2, trying again for as long as there is no inventory at all.

        `wait(seconds)` returns True to stop waiting; then the answer is False.
        """
        pause = _FIRST_RETRY
        while not self.refresh() and not self.is_there:
            if wait(pause):
                return False
            pause = min(2 * pause, _LAST_RETRY)
        return True

    def ask_for_refresh(self) -> None:
        """Refresh early, as some interface is unknown; at most once a minute."""
        now = self._clock()
        if now - self._early_at >= _EARLY_REFRESH_INTERVAL:
            self._early_at = now
            self._wake.set()

    def start(self) -> None:
        """Go on refreshing in a thread."""
        self._thread = threading.Thread(target=self._run, name="inventory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a reading of EC2 under way is not waited for."""
        self._stopping.set()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._interval)
            self._wake.clear()
            if self._stopping.is_set():
                return
            self.refresh()

    def _warn_of_missing_permissions(self) -> None:
        for source in self.current.sources:
            if not source.interfaces_listed:
                self._warn_once(
                    f"Not permitted: ec2:DescribeNetworkInterfaces in {source.key}. Subnets are found by the addresses"
                    " that each interface's records have in common, which leaves some records unattributed; see"
                    " docs/accounting.md."
                )
            if not source.flow_logs_listed:
                self._warn_once(
                    f"Not permitted: ec2:DescribeFlowLogs in {source.key}. Lines are read by --flow-log-format, or else"
                    " by the default format."
                )

    def _find_overlaps(self) -> None:
        known, self.overlaps = set(self.overlaps), overlaps.find(self.current)
        new = [overlap for overlap in self.overlaps if overlap not in known]
        for overlap in new[:_MOST_OVERLAPS_TOLD]:
            self._warn_once(
                f"The flow logs {overlap.wider} and {overlap.narrower} record the same traffic, which counts twice"
                + ("." if overlap.same_log_group else " if both of their log groups are subscribed to the stream.")
            )
        if len(new) > _MOST_OVERLAPS_TOLD:
            log.warning("%d more pairs of flow logs record the same traffic.", len(new) - _MOST_OVERLAPS_TOLD)

    def _warn_once(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            log.warning("%s", sentence)


def _load(saved: bytes | None) -> Inventory:
    if saved is None:
        return Inventory()
    try:
        return subnets.load(saved)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("The saved inventory can't be read (%s); reading a new one.", error)
        return Inventory()
