"""Which interfaces are looked up in EC2, and how often, whatever records name."""

from __future__ import annotations

import logging
import math

import pytest

from kcl_flowlog.counting.subnets import Interface, Inventory, Source
from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.inventory.lookups import Lookups
from tests.support.clocks import FakeClock
from tests.support.ec2 import DENIED, HERE, INTERFACES, THERE, THROTTLED, UNREACHABLE, FakeEc2
from tests.support.logs import events

READ = Inventory(900.0, sources=(HERE, THERE))


class Rounds:
    """Lookups in two sources; `opened` are the keys of those whose clients were opened."""

    def __init__(self, here: FakeEc2, there: FakeEc2 | None = None) -> None:
        self.clock = FakeClock(5000.0)
        self.here, self.there = here, there or FakeEc2(interfaces=((),))
        self.opened: list[str] = []
        readers = [
            SourceReader(source, lambda source=source, ec2=ec2: self._open(source, ec2))  # type: ignore[misc]
            for source, ec2 in ((HERE, self.here), (THERE, self.there))
        ]
        self.lookups = Lookups(readers, lambda: 1000.0, self.clock)

    def _open(self, source: Source, ec2: FakeEc2) -> tuple[str, FakeEc2]:
        self.opened.append(source.key)
        return source.account_id, ec2

    def find(self, *interface_ids: str, inventory: Inventory = READ) -> list[str]:
        """Request these, and make a round a minute after the last."""
        self.lookups.request(interface_ids)
        self.clock.now += 60.0
        return [interface.interface_id for interface in self.lookups.find(inventory)]

    def asked(self) -> list[list[list[str]]]:
        """Return the ids of each request, here and there."""
        return [
            [parameters["Filters"][0]["Values"] for _, parameters in ec2.requests] for ec2 in (self.here, self.there)
        ]


def test_a_round_asks_each_source_for_what_the_others_lack() -> None:
    """An interface is in one source; what none has is not looked up again."""
    rounds = Rounds(FakeEc2(interfaces=((1, 2),)), FakeEc2(interfaces=((3, 4),)))

    assert ["eni-1", "eni-3"] == rounds.find("eni-1", "eni-3", "eni-8")
    assert [] == rounds.find("eni-8")
    assert ["eni-2"] == rounds.find("eni-8", "eni-2")
    assert [[["eni-1", "eni-3", "eni-8"], ["eni-2"]], [["eni-3", "eni-8"]]] == rounds.asked()


def test_an_interface_has_its_source_and_the_time_of_the_lookup() -> None:
    """So it stays known for as long as the listed ones."""
    rounds = Rounds(FakeEc2(interfaces=((),)), FakeEc2(interfaces=((3,),)))
    rounds.lookups.request(["eni-3"])

    assert [Interface("eni-3", "subnet-1", "vpc-1", (), 1000.0, (), THERE.key)] == rounds.lookups.find(READ)


def test_what_the_inventory_knows_by_now_is_not_looked_up() -> None:
    """A processor may have asked before it got the newest inventory."""
    rounds = Rounds(FakeEc2())
    known = Inventory(900.0, interfaces=(Interface("eni-1", "subnet-1", "vpc-1"),), sources=(HERE, THERE))

    assert [] == rounds.find("eni-1", inventory=known)
    assert [[], []] == rounds.asked()


def test_a_round_is_due_once_a_minute_if_there_is_anything_to_do() -> None:
    """The first at once."""
    rounds = Rounds(FakeEc2())
    idle = rounds.lookups.due_at

    rounds.lookups.request(["eni-1"])
    first = rounds.lookups.due_at
    rounds.lookups.find(READ)
    rounds.lookups.request(["eni-2"])

    assert (math.inf, 5000.0, 5060.0) == (idle, first, rounds.lookups.due_at)
    assert rounds.lookups.request(["eni-3"])
    assert rounds.find() == []
    assert not rounds.lookups.request(["eni-3"])
    assert math.inf == rounds.lookups.due_at


def test_a_source_that_may_not_list_interfaces_is_not_asked() -> None:
    """It would only refuse."""
    rounds = Rounds(FakeEc2(), FakeEc2(interfaces=((3,),)))
    inventory = Inventory(900.0, sources=(Source(HERE.key, interfaces_listed=False), THERE))

    assert ["eni-3"] == rounds.find("eni-3", inventory=inventory)
    assert [[], [["eni-3"]]] == rounds.asked()


# A flood of made-up interfaces


def made_up(count: int, first: int = 0) -> list[str]:
    return [f"eni-{number:017x}" for number in range(10**6 + first, 10**6 + first + count)]


def test_made_up_interfaces_cost_five_requests_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """However many there are; a warning says so once."""
    rounds = Rounds(FakeEc2(interfaces=((),)))

    for minute in range(20):
        rounds.find(*made_up(3000, 3000 * minute))

    assert [100, 100] == [len(requests) for requests in rounds.asked()]
    assert {200} == {len(ids) for requests in rounds.asked() for ids in requests}
    assert [logging.WARNING] == [level for level, _, _ in events(caplog)]


def test_what_ec2_does_not_know_is_remembered_within_bounds() -> None:
    """The oldest are forgotten first."""
    rounds = Rounds(FakeEc2(interfaces=((),)))
    for thousand in range(21):
        rounds.find(*made_up(1000, 1000 * thousand))
    before = rounds.here.calls

    rounds.find(*made_up(1000, 20_000))
    rounds.find(*made_up(1000, 1000))
    known = rounds.here.calls - before
    rounds.find(*made_up(1000, 0))

    assert (0, 5) == (known, rounds.here.calls - before)


def test_a_real_interface_behind_a_flood_has_its_turn() -> None:
    """What is not found makes room."""
    rounds = Rounds(FakeEc2(interfaces=((1,),)))

    assert [] == rounds.find(*made_up(2500), "eni-1")
    assert [] == rounds.find()
    assert ["eni-1"] == rounds.find()


# Failures


@pytest.mark.parametrize("error", [THROTTLED, UNREACHABLE], ids=["throttled", "unreachable"])
def test_a_source_that_fails_rests_and_does_not_hinder_the_others(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It rests for two minutes, then four, up to fifteen; its interfaces are found once it answers."""
    rounds = Rounds(FakeEc2().fail(INTERFACES, error), FakeEc2(interfaces=((3, 4),)))

    assert ["eni-3"] == rounds.find("eni-1", "eni-3")
    rounds.here.pages[INTERFACES] = ((1,),)
    assert ["eni-4"] == rounds.find("eni-4")
    assert ["eni-1"] == rounds.find()

    assert [("Cannot look up interfaces in EC2; trying again later", 120.0)] == [
        (message, fields["retry_seconds"]) for _, message, fields in events(caplog)
    ]


def test_the_rests_of_a_source_grow() -> None:
    """In an hour it gets seven requests."""
    rounds = Rounds(FakeEc2().fail(INTERFACES, THROTTLED))

    for minute in range(60):
        rounds.find(f"eni-{minute}")

    assert 7 == len(rounds.here.requests)


def test_an_id_is_looked_up_three_times_if_a_source_does_not_answer() -> None:
    """The refresh of the source brings it, if it exists; the other source is left in peace."""
    rounds = Rounds(FakeEc2().fail(INTERFACES, UNREACHABLE))

    for _ in range(10):
        rounds.find("eni-8")

    assert 3 == len(rounds.asked()[1])


def test_a_source_that_forbids_it_has_nothing() -> None:
    """The next refresh says so."""
    rounds = Rounds(FakeEc2().fail(INTERFACES, DENIED))

    rounds.find("eni-8")
    rounds.find("eni-8")

    assert [1, 1] == [len(requests) for requests in rounds.asked()]


def test_a_client_is_opened_again_only_after_a_failure() -> None:
    """Which may have been its role's. The keys of a role are assumed again by themselves."""
    rounds = Rounds(FakeEc2())
    for number in range(60):
        rounds.find(f"eni-{number + 10}")
    regularly = rounds.opened.count(HERE.key)
    rounds.here.fail(INTERFACES, THROTTLED)
    rounds.find("eni-100")
    rounds.clock.now += 120.0
    rounds.find("eni-101")

    assert (1, 2) == (regularly, rounds.opened.count(HERE.key))
