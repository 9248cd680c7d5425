"""The inventory, kept current from a fake EC2."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.subnets import Inventory, Subnet
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.inventory.keeper import InventoryKeeper
from tests.support.clocks import FakeClock
from tests.support.ec2 import (
    DENIED,
    FLOW_LOGS,
    HERE,
    INTERFACES,
    SUBNETS,
    THERE,
    THROTTLED,
    UNREACHABLE,
    FakeEc2,
    flow_log_item,
    interface_item,
)
from tests.support.logs import events
from tests.support.waiting import PATIENCE, eventually

LONG = 3600.0


class Fixture:
    """A keeper with one or two fake accounts, a clock that the test sets, and a list of what it saved."""

    def __init__(
        self,
        here: FakeEc2 | None = None,
        there: FakeEc2 | None = None,
        saved: bytes | None = None,
        interval: float = LONG,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self.now = 1000.0
        self.monotonic = FakeClock()
        self.saved: list[bytes] = []
        self.disk_error: OSError | None = None
        self.here = here or FakeEc2()
        readers = [SourceReader(HERE, lambda: (HERE.account_id, self.here))]
        if there is not None:
            readers.append(SourceReader(THERE, lambda: (THERE.account_id, there)))
        self.keeper = InventoryKeeper(
            readers, saved, self.save, interval, 3600.0, lambda: self.now, monotonic or self.monotonic
        )

    def save(self, inventory: Inventory) -> None:
        if self.disk_error is not None:
            raise self.disk_error
        self.saved.append(subnets.dump(inventory))

    def subnets(self) -> list[str]:
        return [subnet.subnet_id for subnet in self.keeper.current.subnets]

    def interfaces(self) -> list[str]:
        return [interface.interface_id for interface in self.keeper.current.interfaces]

    def pass_time(self, seconds: float) -> float:
        """Let time pass, then do what is due; return the seconds until something is due again."""
        self.monotonic.now += seconds
        self.now += seconds
        return self.keeper.step()


NO_NETWORK = subnets.dump(Inventory(1.0, (Subnet("subnet-1", "vpc-1", "az1", "10.0.1.0/33"),)))


def a_saved_inventory() -> bytes:
    subnet = Subnet("subnet-5", "vpc-1", "", "", seen_at=900.0, source=HERE.key)
    return subnets.dump(Inventory(900.0, (subnet,), sources=(HERE,)))


# A refresh


def test_a_refresh_puts_the_inventory_in_force(caplog: pytest.LogCaptureFixture) -> None:
    """It is current, saved as the processors read it, counted and logged."""
    fixture = Fixture(FakeEc2(((1, 2),), ((1,),), ((1,),)))
    before = fixture.keeper.has_inventory

    with caplog.at_level(logging.INFO):
        is_new = fixture.keeper.refresh()

    assert (False, True, True) == (before, is_new, fixture.keeper.has_inventory)
    assert ["subnet-1", "subnet-2"] == fixture.subnets()
    assert [fixture.keeper.current] == [subnets.load(data) for data in fixture.saved]
    assert {"ok": 1, "error": 0} == fixture.keeper.refreshes
    fields = {"subnets": 2, "interfaces": 1, "flow_logs": 1}
    assert [(logging.INFO, "Read the inventory", fields)] == events(caplog)


def test_a_source_has_the_account_that_its_reader_found() -> None:
    """The account of the credentials is unknown until its client is opened."""
    fixture = Fixture()
    reader = SourceReader(HERE, lambda: ("999999999999", fixture.here))
    keeper = InventoryKeeper([reader], None, fixture.save, LONG, LONG)

    keeper.refresh()

    assert ["999999999999"] == [source.account_id for source in keeper.current.sources]


@pytest.mark.parametrize("error", [DENIED, THROTTLED, UNREACHABLE], ids=["denied", "throttled", "unreachable"])
def test_a_failed_refresh_keeps_the_inventory(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the reason: it stays current, nothing is saved, and the failure is counted and logged."""
    fixture = Fixture()
    fixture.keeper.refresh()
    before = fixture.keeper.current
    fixture.here.fail(SUBNETS, error)

    is_new = fixture.keeper.refresh()

    assert not is_new
    assert before is fixture.keeper.current
    assert 1 == len(fixture.saved)
    assert {"ok": 1, "error": 1} == fixture.keeper.refreshes
    (level, message, fields) = events(caplog)[-1]
    assert (logging.WARNING, "Cannot read the inventory from EC2; keeping the last inventory") == (level, message)
    assert (HERE.key, True) == (fields["source"], str(error).split(":")[0] in fields["error"])


def test_a_role_that_cannot_be_assumed_is_a_failed_refresh() -> None:
    """Opening the client may fail as well."""

    def fail() -> tuple[str, object]:
        raise DENIED

    fixture = Fixture(saved=a_saved_inventory())
    keeper = InventoryKeeper([SourceReader(HERE, fail)], a_saved_inventory(), fixture.save, LONG, LONG)

    assert not keeper.refresh()
    assert {"ok": 0, "error": 1} == keeper.refreshes


def test_an_inventory_that_cannot_be_saved_is_not_in_force(caplog: pytest.LogCaptureFixture) -> None:
    """The processors still have the old file, and the launcher has to agree with them."""

    def save(inventory: Inventory) -> None:
        raise OSError(28, "No space left on device")

    keeper = InventoryKeeper([SourceReader(HERE, lambda: ("", FakeEc2()))], None, save, LONG, LONG)

    assert not keeper.refresh()
    assert not keeper.has_inventory
    assert {"ok": 0, "error": 1} == keeper.refreshes
    fields = {"error": "[Errno 28] No space left on device"}
    assert [(logging.WARNING, "Cannot save the inventory; keeping the last inventory", fields)] == events(caplog)


def test_a_vanished_subnet_stays_known_for_the_ttl() -> None:
    """Refreshes in between don't prolong it."""
    fixture = Fixture(FakeEc2(((1, 2),)))
    fixture.keeper.refresh()
    fixture.here.pages[SUBNETS] = ((2,),)

    known = []
    for fixture.now in (2800.0, 4600.0, 6400.0):
        fixture.keeper.refresh()
        known.append(fixture.subnets())

    assert [["subnet-2", "subnet-1"], ["subnet-2", "subnet-1"], ["subnet-2"]] == known


# Several accounts


def test_a_failing_account_keeps_its_last_inventory() -> None:
    """The other is read anew; the refresh counts as an error; it holds over a restart, too."""
    there = FakeEc2(((7,),))
    fixture = Fixture(there=there)
    fixture.keeper.refresh()
    there.fail(SUBNETS, DENIED)
    fixture.here.pages[SUBNETS] = ((2,),)

    fixture.now = 10_000.0
    is_new = fixture.keeper.refresh()
    restarted = Fixture(FakeEc2(((3,),)), there, fixture.saved[-1])
    restarted.now = 20_000.0
    restarted.keeper.refresh()

    assert is_new
    assert {"ok": 1, "error": 1} == fixture.keeper.refreshes
    assert ["subnet-2", "subnet-7"] == fixture.subnets()
    assert ["subnet-3", "subnet-7"] == restarted.subnets()
    assert [20_000.0, 1000.0] == [source.taken_at for source in restarted.keeper.current.sources]


def test_an_account_that_is_no_longer_configured_is_known_for_the_ttl() -> None:
    """Records of its subnets may be under way."""
    both = Fixture(there=FakeEc2(((7,),)))
    both.keeper.refresh()
    alone = Fixture(saved=both.saved[-1])

    known = []
    for alone.now in (4600.0, 4601.0):
        alone.keeper.refresh()
        known.append(alone.subnets())

    assert [["subnet-1", "subnet-7"], ["subnet-1"]] == known


# Permissions


@pytest.mark.parametrize("is_there_denied", [None, True])
def test_without_permission_to_list_subnets_nothing_can_be_counted(is_there_denied: bool | None) -> None:
    """If nothing is known and every account denies it, the user has to act."""
    there = FakeEc2().fail(SUBNETS, DENIED) if is_there_denied else None
    fixture = Fixture(FakeEc2().fail(SUBNETS, DENIED), there)

    with pytest.raises(ConfigError, match=r"^No permission to list the subnets; allow the action ec2:Desc.*Subnets\.$"):
        fixture.keeper.refresh()
    assert {"ok": 0, "error": 1} == fixture.keeper.refreshes


@pytest.mark.parametrize(("there", "is_new"), [(FakeEc2(), True), (FakeEc2().fail(SUBNETS, UNREACHABLE), False)])
def test_another_account_may_still_work(there: FakeEc2, is_new: bool) -> None:
    """A denial in one account is not the end if the other answers, or may answer later."""
    assert is_new == Fixture(FakeEc2().fail(SUBNETS, DENIED), there).keeper.refresh()


def test_a_missing_permission_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """However often the inventory is read."""
    fixture = Fixture(FakeEc2().fail(INTERFACES, DENIED))

    for _ in range(3):
        fixture.keeper.refresh()

    assert ["ec2:DescribeNetworkInterfaces"] == [fields["action"] for _, _, fields in events(caplog)]


# Overlapping flow logs


def overlapping() -> FakeEc2:
    return FakeEc2(flow_logs=((1, {**flow_log_item(2), "ResourceId": "subnet-1"}),))


def test_overlapping_flow_logs_are_found_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """They stay listed for the metric."""
    fixture = Fixture(overlapping())

    fixture.keeper.refresh()
    fixture.keeper.refresh()

    assert [("fl-1", "fl-2")] == [(overlap.wider, overlap.narrower) for overlap in fixture.keeper.overlaps]
    assert [{"flow_log": "fl-2", "overlaps_with": "fl-1"}] == [fields for _, _, fields in events(caplog)]


def test_a_restart_does_not_repeat_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The overlaps of the saved inventory are listed from the start, and known."""
    first = Fixture(overlapping())
    first.keeper.refresh()
    caplog.clear()

    restarted = Fixture(overlapping(), saved=first.saved[-1])
    listed = len(restarted.keeper.overlaps)
    restarted.keeper.refresh()

    assert 1 == listed
    assert [] == events(caplog)


def test_a_deleted_overlap_is_no_longer_listed() -> None:
    """The metric follows the inventory."""
    fixture = Fixture(overlapping())
    fixture.keeper.refresh()
    fixture.here.pages[FLOW_LOGS] = ((1,),)
    fixture.now = 2000.0

    fixture.keeper.refresh()

    assert [] == fixture.keeper.overlaps


# The first inventory


def test_the_first_inventory_is_tried_until_it_works() -> None:
    """The pause between two attempts doubles, up to a minute."""
    fixture = Fixture(FakeEc2().fail(SUBNETS, UNREACHABLE))
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        if len(pauses) == 8:
            fixture.here.pages[SUBNETS] = ((1,),)
        return False

    assert fixture.keeper.wait_for_inventory(wait)
    assert [1, 2, 4, 8, 16, 32, 60, 60] == pauses
    assert ["subnet-1"] == fixture.subnets()


def test_a_stop_ends_the_wait_for_the_first_inventory() -> None:
    """There is no inventory then."""
    fixture = Fixture(FakeEc2().fail(SUBNETS, UNREACHABLE))

    assert not fixture.keeper.wait_for_inventory(lambda seconds: True)
    assert not fixture.keeper.has_inventory


@pytest.mark.parametrize("error", [UNREACHABLE, DENIED], ids=["unreachable", "denied"])
def test_a_saved_inventory_is_enough_to_start(error: Exception) -> None:
    """An instance that restarts while EC2 fails goes on with what it knew."""
    fixture = Fixture(FakeEc2().fail(SUBNETS, error), saved=a_saved_inventory())
    before = fixture.keeper.has_inventory

    assert before
    assert fixture.keeper.wait_for_inventory(lambda seconds: pytest.fail("waited"))
    assert ["subnet-5"] == fixture.subnets()
    assert [subnets.load(a_saved_inventory())] == [subnets.load(data) for data in fixture.saved]


def test_a_start_waits_until_the_processors_can_have_the_saved_inventory() -> None:
    """What they read may be missing, or of an earlier version."""
    fixture = Fixture(FakeEc2().fail(SUBNETS, UNREACHABLE), saved=a_saved_inventory())
    fixture.disk_error = OSError(errno.ENOSPC, "No space left on device")

    def make_room(_: float) -> bool:
        fixture.disk_error = None
        return False

    assert fixture.keeper.wait_for_inventory(make_room)
    assert [subnets.load(a_saved_inventory())] == [subnets.load(data) for data in fixture.saved]


def test_what_vanished_while_the_instance_was_down_stays_known() -> None:
    """For the ttl, by the saved inventory."""
    fixture = Fixture(saved=a_saved_inventory())

    fixture.keeper.refresh()

    assert ["subnet-1", "subnet-5"] == fixture.subnets()


@pytest.mark.parametrize(
    "saved", [b"", b"{", b"[]", b'{"subnets": 3}', b'{"subnets": [{"subnet_id": "\xff"}]}', NO_NETWORK]
)
def test_an_invalid_saved_inventory_counts_as_missing(saved: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A warning says so, and a new inventory is read."""
    fixture = Fixture(saved=saved)
    before = fixture.keeper.has_inventory

    is_new = fixture.keeper.refresh()

    assert (False, True) == (before, is_new)
    assert [(logging.WARNING, "Cannot read the saved inventory; reading EC2 instead")] == [
        event[:2] for event in events(caplog)
    ]


# What is due


def test_all_is_read_at_each_interval() -> None:
    """And nothing before."""
    fixture = Fixture()
    fixture.keeper.refresh()

    assert LONG == fixture.pass_time(0.0)
    assert 0.5 == fixture.pass_time(LONG - 0.5)
    assert LONG == fixture.pass_time(0.5)
    assert {"ok": 2, "error": 0} == fixture.keeper.refreshes


def test_a_source_that_fails_is_read_again_soon_and_alone() -> None:
    """After pauses that double, until it answers; the others are left in peace."""
    there = FakeEc2(((7,),)).fail(SUBNETS, THROTTLED)
    fixture = Fixture(there=there, interval=1800.0)
    fixture.keeper.refresh()
    read_here = fixture.here.calls

    pauses = [fixture.pass_time(0.0), fixture.pass_time(60.0), fixture.pass_time(120.0)]
    there.pages[SUBNETS] = ((7,),)
    until_the_next = fixture.pass_time(240.0)

    assert [60.0, 120.0, 240.0] == pauses
    assert (["subnet-1", "subnet-7"], 1380.0) == (sorted(fixture.subnets()), until_the_next)
    assert read_here == fixture.here.calls
    assert {"ok": 1, "error": 3} == fixture.keeper.refreshes


def test_a_source_that_forbids_to_be_read_is_not_read_again_before_its_time() -> None:
    """A permission does not come back by asking."""
    fixture = Fixture(there=FakeEc2().fail(SUBNETS, DENIED))

    fixture.keeper.refresh()

    assert LONG == fixture.pass_time(0.0)


def test_an_inventory_that_a_full_disk_refuses_is_read_again_soon() -> None:
    """Whoever waits for a subnet does not wait for half an hour; but the pauses grow."""
    fixture = Fixture()
    fixture.disk_error = OSError(28, "No space left on device")
    fixture.keeper.refresh()
    pauses = [fixture.pass_time(0.0), fixture.pass_time(60.0)]
    fixture.disk_error = None

    fixture.pass_time(120.0)

    assert [60.0, 120.0] == pauses
    assert fixture.keeper.has_inventory


# Interfaces that records name


def test_an_unknown_interface_is_looked_up_and_saved() -> None:
    """At once, and nothing else is read."""
    fixture = Fixture(FakeEc2(interfaces=((1,),)))
    fixture.keeper.refresh()
    fixture.here.pages[INTERFACES] = ((1, 2, 3),)
    calls = fixture.here.calls

    fixture.keeper.look_up(["eni-2"])
    fixture.pass_time(0.0)

    assert ["eni-1", "eni-2"] == fixture.interfaces()
    assert calls + 1 == fixture.here.calls
    assert fixture.keeper.current == subnets.load(fixture.saved[-1])
    assert 1000.0 == fixture.keeper.current.taken_at


def test_an_interface_that_cannot_be_saved_is_looked_up_again() -> None:
    """The processors don't know it yet."""
    fixture = Fixture(FakeEc2(interfaces=((1,),)))
    fixture.keeper.refresh()
    fixture.here.pages[INTERFACES] = ((1, 2),)
    fixture.disk_error = OSError(28, "No space left on device")
    fixture.keeper.look_up(["eni-2"])
    fixture.pass_time(0.0)
    before = fixture.interfaces()
    fixture.disk_error = None

    fixture.pass_time(60.0)

    assert (["eni-1"], ["eni-1", "eni-2"]) == (before, fixture.interfaces())


def test_an_interface_in_a_new_subnet_causes_a_refresh() -> None:
    """The subnet and its flow logs are unknown as well; but not more than one refresh in five minutes."""
    fixture = Fixture()
    fixture.keeper.refresh()
    fixture.here.pages[SUBNETS] = ((1, 9),)
    fixture.here.pages[INTERFACES] = ((1, {**interface_item(2), "SubnetId": "subnet-9"}),)
    fixture.keeper.look_up(["eni-2"])

    pause = fixture.pass_time(0.0)
    known = fixture.subnets()
    fixture.pass_time(pause)

    assert (300.0, ["subnet-1"], ["subnet-1", "subnet-9"]) == (pause, known, fixture.subnets())


# The thread


@pytest.fixture
def running(request: pytest.FixtureRequest) -> Iterator[Fixture]:
    """A keeper whose thread runs. Without a parameter its interval outlasts the test."""
    fixture = Fixture(interval=getattr(request, "param", LONG), monotonic=time.monotonic)
    fixture.keeper.start()
    yield fixture
    fixture.keeper.stop()
    for thread in threading.enumerate():
        if thread.name == "inventory":
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_the_thread_looks_an_interface_up_at_once(running: Fixture) -> None:
    """Without reading the rest."""
    running.keeper.look_up(["eni-1"])

    assert eventually(lambda: ["eni-1"] == running.interfaces())
    assert [INTERFACES] == [operation for operation, _ in running.here.requests]


@pytest.mark.parametrize("running", [0.01], indirect=True)
def test_the_thread_refreshes_at_each_interval(running: Fixture) -> None:
    """Failures don't end it."""
    refreshes = running.keeper.refreshes
    assert eventually(lambda: refreshes["ok"] >= 2)
    running.here.fail(SUBNETS, UNREACHABLE)
    assert eventually(lambda: refreshes["error"] >= 2)
    running.here.pages[SUBNETS] = ((1,),)
    before = refreshes["ok"]

    assert eventually(lambda: refreshes["ok"] > before)


def test_stop_ends_the_thread(running: Fixture) -> None:
    """Without a last refresh."""
    running.keeper.stop()

    assert eventually(lambda: "inventory" not in {thread.name for thread in threading.enumerate()})
    assert 0 == running.keeper.refreshes["ok"]
