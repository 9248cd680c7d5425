"""Answers /who: reads the steps of a subnet from the ledger, adds what the peers know, and has the inventory's words
put beside the addresses.

The threads of the web server call it, so each call opens its own ledger connection. Raises `LedgerError` if that can't
be read; damage is noted, which ends the instance. What a peer does is part of the answer, and never raised.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, Protocol

from kcl_flowlog.commits import who_tables
from kcl_flowlog.commits.damage import DamageNote, LedgerError
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.answers import heaviest
from kcl_flowlog.counting.who.kinds import EGRESS, INGRESS, PAIR, SOURCE
from kcl_flowlog.counting.who.sketches import Sketches
from kcl_flowlog.counting.who.steps import STEP, STEPS_AHEAD
from kcl_flowlog.inventory.interface_details import KeptDetails
from kcl_flowlog.launcher.own_interfaces import OwnInterfaces
from kcl_flowlog.launcher.who_keeper import WhoKeeper, readable
from kcl_flowlog.peers import one_peer, own_answer
from kcl_flowlog.peers.merging import Me, Merged, merged_lines
from kcl_flowlog.peers.own_answer import OwnAnswer
from kcl_flowlog.peers.reporting import Find, Place, report_of
from kcl_flowlog.web.who_page import Answer, Question
from kcl_flowlog.web.who_report import InterfaceNote, SubnetLine

_MOST_NAMED = 100
"""Of each kind, as many addresses go to other instances together with their interface."""

AskPeers = Callable[[one_peer.PeerQuestion], Merged]
"""Returns what the peers know."""


class KnownNetworks(Protocol):
    """Knows the networks, such as `kcl_flowlog.inventory.keeper.InventoryKeeper`."""

    current: Inventory
    details: KeptDetails | None


class _Own(NamedTuple):
    """What this instance knows of a subnet: `place` is None if the inventory lacks it."""

    sketches: Sketches
    place: Place | None
    find: Find

    @property
    def is_known(self) -> bool:
        return self.place is not None or bool(self.sketches.subnets)


class WhoAnswers:
    """Answers for one instance, and for its peers if there is `ask_peers`."""

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        keeper: WhoKeeper,
        networks: KnownNetworks,
        damage: DamageNote,
        me: Me,
        ask_peers: AskPeers | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._open_ledger = open_ledger
        self._keeper = keeper
        self._networks = networks
        self._damage = damage
        self._me = me
        self._ask_peers = ask_peers
        self._clock = clock
        self._indexed: tuple[Inventory, OwnInterfaces] | None = None

    def answer(self, question: Question) -> Answer:
        """Return what this instance and its peers know."""
        own = self._own(question) if question.subnet_id else None
        merged, peers = Merged(), None
        if self._ask_peers is not None:
            merged = self._ask_peers(one_peer.PeerQuestion(question.subnet_id, question.steps))
            peers = merged.peers
        lines = merged_lines([self._lines(), merged.lines])
        if own is None or not (own.is_known or merged.is_known):
            return Answer(lines, None, peers)
        together = sketches.combine(0, [own.sketches, merged.sketches], kept=False)
        place = own.place or Place(merged.name, merged.vpc_id)
        report = report_of(together, question, place, self._clock(), own.find)
        report.peers = peers
        return Answer(lines, report, peers)

    def own(self, question: Question) -> bytes:
        """Return what this instance knows, for another to merge."""
        answer = OwnAnswer(
            instance=self._me.instance,
            application=self._me.application,
            subnets=self._lines()[: own_answer.MOST_LINES],
        )
        if question.subnet_id:
            own = self._own(question)
            answer.is_known = own.is_known
            answer.name, answer.vpc_id = own.place or Place()
            answer.sketch = sketches.encode(own.sketches)
            answer.interfaces = dict(_interfaces(own))
        return own_answer.encode(answer)

    def _lines(self) -> list[SubnetLine]:
        """Return the subnets with rejected flows, those with most distinct sources first."""
        known = {subnet.subnet_id: subnet for subnet in self._networks.current.subnets}
        lines = []
        for subnet_id, found in dict(self._keeper.distinct).items():
            subnet = known.get(subnet_id)
            name, vpc_id = ("", "") if subnet is None else (subnet.name, subnet.vpc_id)
            lines.append(SubnetLine(subnet_id, name, vpc_id, *found))
        return merged_lines([lines])

    def _own(self, question: Question) -> _Own:
        inventory = self._networks.current
        subnet = next((each for each in inventory.subnets if each.subnet_id == question.subnet_id), None)
        place = None if subnet is None else Place(subnet.name, subnet.vpc_id)
        find = partial(self._interfaces(inventory).find, vpc_id=(place or Place()).vpc_id)
        return _Own(self._combined(question), place, find)

    def _combined(self, question: Question) -> Sketches:
        """Return the sketch of a subnet in the last steps."""
        last = int(self._clock() // STEP)
        try:
            with self._open_ledger() as ledger, ledger.begin("DEFERRED") as db:
                first = last - question.steps + 1
                bodies = who_tables.steps_of(db, question.subnet_id, first, last + STEPS_AHEAD)
        except LedgerError as error:
            self._damage.take(error)
            raise
        return sketches.combine(last, [*readable(bodies, sketches.decode)], kept=False)

    def _interfaces(self, inventory: Inventory) -> OwnInterfaces:
        if self._indexed is None or self._indexed[0] is not inventory:
            details = self._networks.details
            self._indexed = inventory, OwnInterfaces(inventory, {} if details is None else details.of_interface)
        return self._indexed[1]


def _interfaces(own: _Own) -> Iterator[tuple[str, InterfaceNote]]:
    """Yield the heaviest addresses that have an interface."""
    for kind in (SOURCE, PAIR, INGRESS, EGRESS):
        for heavy in heaviest(own.sketches.summary, kind, _MOST_NAMED):
            for address in heavy.name.split(" "):
                found = own.find(address)
                if found is not None:
                    yield address, found
