"""The subnets and interfaces, read from EC2 and kept current.

`read` asks EC2 once; `merged` keeps what vanished known for a while, as
records of a deleted interface arrive for hours; `InventoryKeeper` does both on
a schedule and writes the result where the processors read it. A failed
refresh keeps the last good inventory and counts.

Gets its EC2 client through the constructor. EC2 unreachable is not an error
here; EC2 forbidding DescribeSubnets is, since nothing can be counted then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from kcl_flowlog import subnets
from kcl_flowlog.aws import AWS_ERRORS, is_denied
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.subnets import Interface, Inventory, Subnet

log = logging.getLogger(__name__)

_PAGE = 1000
# An unknown interface asks for an early refresh; EC2's request quota is shared with the whole account.
_EARLY_REFRESH_INTERVAL = 60.0
_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0

REFRESH_OUTCOMES = {
    "ok": "EC2 was read.",
    "error": "EC2 refused or could not be reached, or the disk is full; the last good inventory goes on.",
}

Entry = TypeVar("Entry", Subnet, Interface)


def read(ec2: Any, now: float) -> Inventory:
    """Return what EC2 knows at `now`. Raises one of `aws.AWS_ERRORS`."""
    found = tuple(_subnet(item, now) for item in _pages(ec2, "describe_subnets", "Subnets"))
    try:
        items = list(_pages(ec2, "describe_network_interfaces", "NetworkInterfaces"))
    except AWS_ERRORS as error:
        if not is_denied(error):
            raise
        return Inventory(now, found, (), interfaces_listed=False)
    return Inventory(now, found, tuple(_interface(item, now) for item in items))


def merged(old: Inventory, new: Inventory, ttl: float) -> Inventory:
    """Return the new inventory with what it lost since the old one, unless that is gone for over `ttl` seconds."""
    return msgspec.structs.replace(
        new,
        subnets=_with_lost(old.subnets, new.subnets, new.taken_at - ttl, "subnet_id"),
        interfaces=_with_lost(old.interfaces, new.interfaces, new.taken_at - ttl, "interface_id"),
    )


def _with_lost(old: Iterable[Entry], new: tuple[Entry, ...], oldest: float, key: str) -> tuple[Entry, ...]:
    known = {getattr(entry, key) for entry in new}
    return new + tuple(entry for entry in old if getattr(entry, key) not in known and entry.seen_at >= oldest)


def _pages(ec2: Any, operation: str, key: str) -> Iterable[dict[str, Any]]:
    for page in ec2.get_paginator(operation).paginate(PaginationConfig={"PageSize": _PAGE}):
        yield from page[key]


def _subnet(item: dict[str, Any], now: float) -> Subnet:
    return Subnet(
        subnet_id=item["SubnetId"],
        vpc_id=item["VpcId"],
        availability_zone_id=item.get("AvailabilityZoneId", ""),
        cidr=item.get("CidrBlock", ""),
        ipv6_cidrs=tuple(
            block["Ipv6CidrBlock"]
            for block in item.get("Ipv6CidrBlockAssociationSet", ())
            if block.get("Ipv6CidrBlockState", {}).get("State", "associated") == "associated"
        ),
        account_id=item.get("OwnerId", ""),
        name=next((tag["Value"] for tag in item.get("Tags", ()) if tag["Key"] == "Name"), ""),
        seen_at=now,
    )


def _interface(item: dict[str, Any], now: float) -> Interface:
    addresses = {address["PrivateIpAddress"]: None for address in item.get("PrivateIpAddresses", ())}
    addresses |= {address["Ipv6Address"]: None for address in item.get("Ipv6Addresses", ())}
    if item.get("PrivateIpAddress"):
        addresses[item["PrivateIpAddress"]] = None
    return Interface(
        interface_id=item["NetworkInterfaceId"],
        subnet_id=item["SubnetId"],
        vpc_id=item["VpcId"],
        addresses=tuple(addresses),
        seen_at=now,
    )


class InventoryKeeper:
    """Keeps an inventory current in a thread, and saves each one."""

    def __init__(
        self,
        ec2: Any,
        saved: bytes | None,
        save: Callable[[bytes], None],
        interval: float,
        ttl: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ec2 = ec2
        self._save = save
        self._interval = interval
        self._ttl = ttl
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._early_at = 0.0
        self._warned = False
        self.refreshes: Counter[str] = Counter(dict.fromkeys(REFRESH_OUTCOMES, 0))
        self.current = _load(saved)

    @property
    def is_there(self) -> bool:
        """Whether there is an inventory at all: a fresh or a saved one."""
        return bool(self.current.taken_at)

    def refresh(self) -> bool:
        """Read EC2 now; return whether that worked. Raises `ConfigError` where it is forbidden and nothing is known."""
        try:
            new = read(self._ec2, self._clock())
        except AWS_ERRORS as error:
            self.refreshes["error"] += 1
            if is_denied(error) and not self.is_there:
                raise ConfigError(
                    "EC2 does not permit to list the subnets; allow the action ec2:DescribeSubnets."
                ) from error
            log.warning("The inventory could not be read from EC2; going on with the last good one: %s", error)
            return False
        self._warn_of_missing_permission(new)
        current = merged(self.current, new, self._ttl)
        try:
            self._save(subnets.dump(current))
        except OSError as error:
            self.refreshes["error"] += 1
            log.warning("The inventory could not be saved; going on with the last good one: %s", error)
            return False
        self.current = current
        self.refreshes["ok"] += 1
        log.info("Read the inventory: %d subnets, %d interfaces", len(new.subnets), len(new.interfaces))
        return True

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

    def _warn_of_missing_permission(self, new: Inventory) -> None:
        if not new.interfaces_listed and not self._warned:
            self._warned = True
            log.warning(
                "Not permitted: ec2:DescribeNetworkInterfaces. Subnets are found by the addresses that each interface's"
                " records have in common; in VPCs whose CIDR blocks overlap that leaves records unattributed."
            )


def _load(saved: bytes | None) -> Inventory:
    if saved is None:
        return Inventory()
    try:
        return subnets.load(saved)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("The saved inventory can't be read (%s); reading a new one.", error)
        return Inventory()
