"""What an instance answers about who sent what, from its ledger and its inventory."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from kcl_flowlog.commits import who_tables
from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.config import Config
from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.kinds import EGRESS, KEPT, SOURCE
from kcl_flowlog.counting.who.steps import STEP, STEPS
from kcl_flowlog.inventory.interface_details import InterfaceDetails, KeptDetails
from kcl_flowlog.launcher.who_answers import WhoAnswers
from kcl_flowlog.launcher.who_keeper import DistinctRejected, WhoKeeper
from kcl_flowlog.launcher.who_parts import WhoParts, who_parts
from kcl_flowlog.peers import one_peer, own_answer
from kcl_flowlog.peers.fleet import Answered, Asked
from kcl_flowlog.peers.merging import Me, Merged, merge
from kcl_flowlog.web.who_page import Question
from kcl_flowlog.web.who_report import (
    HeavyAddress,
    HeavyPair,
    HeavyPort,
    InterfaceNote,
    MissingPeer,
    Peers,
    SubnetLine,
    WhoReport,
)
from tests.support.builders import INVENTORY
from tests.support.clocks import FakeClock
from tests.support.ledgers import SERIES, claim, commit, make_delta

SWITCHED_OFF = Config(stream="flow-logs", who=False)
ME = Me("me", "flow-logs")
NOW = 1_700_000_100.0
OWN = InterfaceNote("eni-a", "subnet-a", "web server", "interface", "i-0a", ("web",), "shop")


class Networks:
    """An inventory, and what EC2 tells of one interface."""

    def __init__(self) -> None:
        self.current = INVENTORY
        self.details: KeptDetails | None = KeptDetails()
        self.details.of_interface["eni-a"] = InterfaceDetails("web server", "interface", "i-0a", ("web",), "shop")


class Home:
    """An instance with a ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[one_peer.PeerQuestion] = []
        self.merged = Merged()
        self.clock = FakeClock(NOW)
        self.networks = Networks()
        self.damage = DamageNote()
        self.keeper = WhoKeeper(self.open_ledger, self.damage, self.clock)
        self.answers = WhoAnswers(
            self.open_ledger, self.keeper, self.networks, self.damage, ME, self.ask_peers, self.clock
        )

    def report(self, question: Question) -> WhoReport:
        """Return what is known of a subnet that is known."""
        found = self.answers.answer(question).report
        assert found is not None
        return found

    def ask_peers(self, question: one_peer.PeerQuestion) -> Merged:
        self.asked.append(question)
        return self.merged

    def open_ledger(self) -> Ledger:
        return Ledger(self.path)

    def commit(self, collector: Collector) -> None:
        self.put(collector)
        self.keeper.step()

    def put(self, collector: Collector) -> None:
        """Commit as a processor does; the keeper has not seen it yet."""
        delta = make_delta()
        delta.sketch = sketches.encode(collector.take(int(self.clock.now // STEP)))
        with self.open_ledger() as ledger:
            commit(ledger, claim(ledger), delta=delta)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "ledger.sqlite3")
    collector = Collector()
    for _ in range(3):
        collector.add_reject("subnet-a", "198.51.100.7", "10.0.1.10", "tcp", "22")
    collector.add_accept("subnet-a", True, "10.0.2.10", 1000)
    collector.add_accept("subnet-a", False, "10.0.1.10", 5)
    made.commit(collector)
    return made


def test_a_report_has_the_interface_beside_each_own_address(home: Home) -> None:
    """As seen from the subnet's VPC, as other VPCs may use the same addresses."""
    report = home.report(Question("subnet-a"))

    assert report.rejected is not None
    assert report.accepted is not None
    assert (1, 1) == (report.rejected.distinct_sources, report.rejected.distinct_ports)
    assert [HeavyAddress("198.51.100.7", 3, 3)] == report.rejected.sources
    assert [HeavyPort("tcp", 22, 3, 3)] == report.rejected.ports
    assert [HeavyPair("198.51.100.7", "10.0.1.10", 3, 3, None, OWN)] == report.rejected.pairs
    assert [HeavyAddress("10.0.1.10", 5, 5, OWN)] == report.accepted.ingress
    (peer,) = report.accepted.egress
    assert peer.interface is not None
    assert ("eni-b", "subnet-b") == (peer.interface.interface_id, peer.interface.subnet_id)


def test_a_peer_takes_all_that_an_instance_sends_after_its_clock_went_back(home: Home) -> None:
    """A full step is ahead of the hour, and must not make the whole answer look made up."""
    for step in range(STEPS):
        home.clock.now = NOW + step * STEP
        home.commit(full_step(step))
    home.clock.now += STEP
    home.put(full_step(STEPS))
    home.clock.now -= STEP
    home.keeper.step()

    sent = own_answer.decode(home.answers.own(Question("subnet-a")))
    merged = merge(Asked([Answered("peer", sent)], []), "subnet-a", Me("another", ME.application))

    assert ([], 1) == (merged.missing, merged.answered)
    assert len(merged.sketches.summary.rows.groups) > STEPS * sum(KEPT)


def full_step(step: int) -> Collector:
    """Return as many names of each kind as a step keeps, other names in each step."""
    collector = Collector()
    for number in range(step * KEPT[SOURCE], (step + 1) * KEPT[SOURCE]):
        collector.add_reject("subnet-a", str(ip_address(number)), "10.0.1.10", "tcp", str(number // 2))
    for number in range(step * KEPT[EGRESS], (step + 1) * KEPT[EGRESS]):
        for is_egress in (True, False):
            collector.add_accept("subnet-a", is_egress, str(ip_address(number)), 1000)
    return collector


def test_an_address_that_several_other_vpcs_use_has_no_interface(home: Home) -> None:
    """Which of them is meant nobody can know."""
    collector = Collector()
    collector.add_accept("subnet-elsewhere", True, "10.0.1.10", 7)
    home.commit(collector)

    report = home.report(Question("other", ("accept",)))

    assert report.accepted is not None
    assert [HeavyAddress("10.0.1.10", 7, 7)] == report.accepted.egress


def test_a_window_ends_with_the_present_step(home: Home) -> None:
    """Five minutes are the present step alone."""
    home.clock.now += STEP

    now, before = (home.report(Question("subnet-a", ("reject",), steps)) for steps in (1, 2))

    assert now.rejected is not None
    assert [] == now.rejected.sources
    assert before.rejected is not None
    assert [HeavyAddress("198.51.100.7", 3, 3)] == before.rejected.sources
    assert None is before.accepted
    assert STEP == now.since - before.since


def test_subnets_are_listed_by_their_sources(home: Home) -> None:
    assert [SubnetLine("subnet-a", "", "vpc-1", 1, 1)] == home.answers.answer(Question()).subnets


def test_a_subnet_that_nobody_knows_has_no_report(home: Home) -> None:
    """A subnet of the inventory without traffic has one, and it is empty."""
    assert None is home.answers.answer(Question("subnet-nowhere")).report
    assert None is not home.answers.answer(Question("subnet-c")).report


def test_what_another_instance_gets_asks_nobody(home: Home) -> None:
    """It is what this instance alone has read, and the interfaces of the addresses in it."""
    found = own_answer.decode(home.answers.own(Question("subnet-a")))

    assert [] == home.asked
    assert (*ME, True, "", "vpc-1") == (found.instance, found.application, found.is_known, found.name, found.vpc_id)
    assert [SubnetLine("subnet-a", "", "vpc-1", 1, 1)] == found.subnets
    assert ["subnet-a"] == sketches.decode(found.sketch).subnets
    assert {"10.0.1.10", "10.0.2.10"} == set(found.interfaces)
    assert OWN == found.interfaces["10.0.1.10"]


def test_another_instance_gets_no_longer_list_than_it_takes(home: Home) -> None:
    """The subnets with most distinct sources."""
    home.keeper.distinct = {f"subnet-{number:04}": DistinctRejected(number, 1) for number in range(1, 1003)}

    found = own_answer.decode(home.answers.own(Question()))

    assert (1000, 1002, 3) == (len(found.subnets), *(found.subnets[place].distinct_sources for place in (0, -1)))


def test_what_peers_have_read_is_added(home: Home) -> None:
    """Numbers add up; sources that several have seen count once; the inventory's words are those of this instance."""
    collector = Collector()
    for source in ("198.51.100.7", "198.51.100.8"):
        collector.add_reject("subnet-a", source, "10.0.1.10", "tcp", "22")
    home.merged = Merged(
        answered=1,
        missing=[MissingPeer("http://b:1", "did not answer within 3 s")],
        lines=[SubnetLine("subnet-a", "", "", 2, 1), SubnetLine("subnet-z", "", "", 1, 1)],
        sketches=sketches.decode(sketches.encode(collector.take(7))),
    )

    answer = home.answers.answer(Question("subnet-a", steps=3))

    assert [one_peer.PeerQuestion("subnet-a", 3)] == home.asked
    assert [SubnetLine("subnet-a", "", "vpc-1", 2, 1), SubnetLine("subnet-z", "", "", 1, 1)] == answer.subnets
    assert answer.report is not None
    assert answer.report.rejected is not None
    assert 2 == answer.report.rejected.distinct_sources
    assert [HeavyPair("198.51.100.7", "10.0.1.10", 4, 4, None, OWN)] == answer.report.rejected.pairs[:1]
    assert Peers(1, home.merged.missing) == answer.report.peers == answer.peers


def test_a_subnet_that_only_a_peer_knows_has_a_report(home: Home) -> None:
    home.merged = Merged(answered=1, is_known=True, name="far", vpc_id="vpc-9")

    report = home.report(Question("subnet-nowhere"))

    assert ("far", "vpc-9") == (report.name, report.vpc_id)


def test_alone_an_instance_names_no_peers(home: Home) -> None:
    """Without --peers."""
    parts = who_parts(Config(stream="flow-logs"), home.open_ledger, home.networks, home.damage)  # type: ignore[arg-type]

    assert parts.answers is not None
    assert None is parts.answers.answer(Question()).peers


def test_a_step_that_cannot_be_read_is_left_out(home: Home) -> None:
    """The answer has the other steps of the subnet, and the instance goes on."""
    with home.open_ledger() as ledger, ledger.begin() as db:
        ((step, subnet_id, _),) = who_tables.STEPS.rows(db, "WHERE subnet_id = 'subnet-a'")
        who_tables.STEPS.put(db, (step - 1, subnet_id, b"not a sketch"))

    report = home.report(Question("subnet-a"))

    assert report.rejected is not None
    assert [HeavyAddress("198.51.100.7", 3, 3)] == report.rejected.sources
    assert home.damage.error is None


def test_switched_off_there_are_no_parts(home: Home) -> None:
    assert WhoParts() == who_parts(SWITCHED_OFF, home.open_ledger, None, DamageNote())  # type: ignore[arg-type] # not used


def test_switched_off_a_commit_that_was_prepared_before_adds_nothing(home: Home) -> None:
    before = _bodies(home)
    delta = make_delta()
    delta.sketch = b"of before"

    with Ledger(home.path, keeps_who=False) as ledger:
        commit(ledger, claim(ledger), delta=delta)

    assert before == _bodies(home)
    with home.open_ledger() as ledger:
        assert SERIES in [total.series for total in ledger.totals().traffic]


def _bodies(home: Home) -> list[bytes]:
    with home.open_ledger() as ledger, ledger.begin() as db:
        return list(who_tables.verify(db))
