"""Instances that know who sent what and answer over HTTP; all is the product's but the flows, which a test commits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.steps import STEP
from kcl_flowlog.inventory.interface_details import KeptDetails
from kcl_flowlog.launcher.who_answers import AskPeers, WhoAnswers
from kcl_flowlog.launcher.who_keeper import WhoKeeper
from kcl_flowlog.peers.fleet import Fleet
from kcl_flowlog.peers.merging import Me, Merged, merge
from kcl_flowlog.peers.one_peer import PeerQuestion
from kcl_flowlog.peers.shared import SharedAnswers
from kcl_flowlog.web.server import WebServer
from tests.counting.who.truth import Reject
from tests.support.builders import INVENTORY
from tests.support.clocks import FakeClock
from tests.support.ledgers import claim, commit, make_delta
from tests.support.peers import SUBNET
from tests.support.web import FakeContents

NOW = 1_700_003_600.0
_COMMITS = 4


class Networks:
    """An inventory without details."""

    current = INVENTORY
    details: KeptDetails | None = None


class WhoInstance:
    """An instance, called by its name. What its peers have answered, it never asks again: no time passes."""

    def __init__(self, path: Path, name: str, flows: Sequence[Reject]) -> None:
        self._path = path
        self._me = Me(name, "flow-logs")
        self._damage = DamageNote()
        self._clock = FakeClock(NOW)
        self._keeper = WhoKeeper(self._open_ledger, self._damage, self._clock)
        self.contents = FakeContents()
        self.server: WebServer | None = None
        self._commit(flows)
        self._keeper.step()

    def serve(self, fleet: Fleet | None, web_config_file: Path | str = "") -> WebServer:
        """Start a server of an instance that asks these peers."""
        ask = (
            SharedAnswers(lambda question: self._ask(fleet, question), FakeClock(0.0)).ask
            if fleet is not None
            else None
        )
        self.contents.who = self._answers(ask)
        self.server = WebServer(("127.0.0.1", 0), self.contents.pages(), str(web_config_file))
        self.server.start()
        return self.server

    def _ask(self, fleet: Fleet, question: PeerQuestion) -> Merged:
        return merge(fleet.ask(question), question.subnet_id, self._me)

    def _answers(self, ask: AskPeers | None) -> WhoAnswers:
        networks = Networks()
        return WhoAnswers(self._open_ledger, self._keeper, networks, self._damage, self._me, ask, self._clock)

    def _open_ledger(self) -> Ledger:
        return Ledger(self._path)

    def _commit(self, flows: Sequence[Reject]) -> None:
        """Commit flows in several steps of the hour, the same number in each."""
        last = int(NOW // STEP)
        with self._open_ledger() as ledger:
            token = claim(ledger)
            for number in range(_COMMITS):
                collector, delta = Collector(), make_delta()
                for source, destination, port in flows[number::_COMMITS]:
                    collector.add_reject(SUBNET, source, destination, "tcp", port)
                delta.sketch = sketches.encode(collector.take(last - 3 * number))
                commit(ledger, token, str(number), delta)
