"""Answers /who: reads the steps of a subnet from the ledger, and puts the inventory's words beside the addresses.

The threads of the web server call it, so each call opens its own ledger connection. Raises `LedgerError` if that can't
be read; damage is noted, which ends the instance.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from kcl_flowlog.commits import who_tables
from kcl_flowlog.commits.damage import DamageNote, LedgerError
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.answers import Heavy, heaviest
from kcl_flowlog.counting.who.distinct import Distinct
from kcl_flowlog.counting.who.kinds import EGRESS, INGRESS, PAIR, PORT, SOURCE
from kcl_flowlog.counting.who.sketches import Sketches
from kcl_flowlog.counting.who.steps import STEP
from kcl_flowlog.inventory.interface_details import KeptDetails
from kcl_flowlog.launcher.own_interfaces import OwnInterfaces
from kcl_flowlog.launcher.who_keeper import WhoKeeper
from kcl_flowlog.web.who_page import Question
from kcl_flowlog.web.who_report import (
    Accepted,
    HeavyAddress,
    HeavyPair,
    HeavyPort,
    InterfaceNote,
    Rejected,
    SubnetLine,
    WhoReport,
)

Find = Callable[[str], InterfaceNote | None]
"""Finds the interface with an address."""


class KnownNetworks(Protocol):
    """Knows the networks, such as `kcl_flowlog.inventory.keeper.InventoryKeeper`."""

    current: Inventory
    details: KeptDetails | None


class WhoAnswers:
    """Answers for one instance."""

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        keeper: WhoKeeper,
        networks: KnownNetworks,
        damage: DamageNote,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._open_ledger = open_ledger
        self._keeper = keeper
        self._networks = networks
        self._damage = damage
        self._clock = clock
        self._indexed: tuple[Inventory, OwnInterfaces] | None = None

    def subnets(self) -> Sequence[SubnetLine]:
        """Return the subnets with rejected flows, those with most distinct sources first."""
        known = {subnet.subnet_id: subnet for subnet in self._networks.current.subnets}
        lines = []
        for subnet_id, found in dict(self._keeper.distinct).items():
            subnet = known.get(subnet_id)
            name, vpc_id = ("", "") if subnet is None else (subnet.name, subnet.vpc_id)
            lines.append(SubnetLine(subnet_id, name, vpc_id, *found))
        return sorted(lines, key=lambda line: (-line.distinct_sources, -line.distinct_ports, line.subnet_id))

    def report(self, question: Question) -> WhoReport | None:
        """Return what is known of a subnet, None if it is unknown."""
        found = self._combined(question)
        inventory = self._networks.current
        subnet = next((each for each in inventory.subnets if each.subnet_id == question.subnet_id), None)
        if subnet is None and not found.subnets:
            return None
        name, vpc_id = ("", "") if subnet is None else (subnet.name, subnet.vpc_id)
        report = WhoReport(
            question.subnet_id, name, vpc_id, (found.step - question.steps + 1) * STEP, int(self._clock())
        )
        find = partial(self._interfaces(inventory).find, vpc_id=vpc_id)
        if "reject" in question.actions:
            report.rejected = _rejected(found, question.most, find)
        if "accept" in question.actions:
            report.accepted = Accepted(
                *(_addresses(heaviest(found.summary, kind, question.most), find) for kind in (INGRESS, EGRESS))
            )
        return report

    def sketch(self, question: Question) -> bytes:
        """Return the sketch of a subnet, for another instance to merge."""
        return sketches.encode(self._combined(question))

    def _combined(self, question: Question) -> Sketches:
        """Return the sketch of a subnet in the last steps."""
        last = int(self._clock() // STEP)
        try:
            with self._open_ledger() as ledger, ledger.begin("DEFERRED") as db:
                bodies = who_tables.steps_of(db, question.subnet_id, last - question.steps + 1, last + 1)
            parts = [who_tables.decoded(body, sketches.decode) for body in bodies]
        except LedgerError as error:
            self._damage.take(error)
            raise
        return sketches.combine(last, parts, kept=False)

    def _interfaces(self, inventory: Inventory) -> OwnInterfaces:
        if self._indexed is None or self._indexed[0] is not inventory:
            details = self._networks.details
            self._indexed = inventory, OwnInterfaces(inventory, {} if details is None else details.of_interface)
        return self._indexed[1]


def _rejected(found: Sketches, most: int, find: Find) -> Rejected:
    sources, ports = (found.distinct.get(kind, Distinct()) for kind in (SOURCE, PORT))
    return Rejected(
        sources.number(),
        ports.number(),
        sources.is_partial or ports.is_partial,
        _addresses(heaviest(found.summary, SOURCE, most), find),
        [_port(each) for each in heaviest(found.summary, PORT, most)],
        [_pair(each, find) for each in heaviest(found.summary, PAIR, most)],
    )


def _addresses(some: Sequence[Heavy], find: Find) -> list[HeavyAddress]:
    return [HeavyAddress(*each, find(each.name)) for each in some]


def _port(each: Heavy) -> HeavyPort:
    protocol, _, port = each.name.partition("/")
    return HeavyPort(protocol, int(port), each.about, each.at_most)


def _pair(each: Heavy, find: Find) -> HeavyPair:
    source, _, destination = each.name.partition(" ")
    return HeavyPair(source, destination, each.about, each.at_most, find(source), find(destination))
