"""What is known after each source was read again."""

from __future__ import annotations

import msgspec
import pytest

from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from kcl_flowlog.inventory.merge import Reading, merge, with_interfaces
from tests.support.ec2 import HERE, THERE

TTL = 3600.0


def inventory(moment: float, *numbers: int, source: Source = HERE) -> Inventory:
    """Return an inventory read at a moment, with a subnet, an interface and a flow log for each number."""
    return Inventory(
        moment,
        tuple(Subnet(f"subnet-{n}", "vpc-1", "", "", seen_at=moment, source=source.key) for n in numbers),
        tuple(Interface(f"eni-{n}", "subnet-1", "vpc-1", (), moment, source=source.key) for n in numbers),
        tuple(FlowLog(f"fl-{n}", "vpc-1", "group", "", seen_at=moment, source=source.key) for n in numbers),
        (msgspec.structs.replace(source, taken_at=moment),),
    )


def ids(merged: Inventory) -> list[list[str]]:
    return [
        [subnet.subnet_id for subnet in merged.subnets],
        [interface.interface_id for interface in merged.interfaces],
        [flow_log.flow_log_id for flow_log in merged.flow_logs],
    ]


@pytest.mark.parametrize(
    ("age", "is_known"), [(0.0, True), (TTL, True), (TTL + 0.1, False)], ids=["at once", "to the end", "over"]
)
def test_what_has_vanished_stays_known_for_the_ttl(age: float, is_known: bool) -> None:
    """The ttl begins when EC2 named it last."""
    merged = merge(inventory(1000.0, 1), [Reading(HERE, inventory(1000.0 + age, 2))], TTL)

    numbers = [2, 1] if is_known else [2]
    assert [[f"{kind}-{number}" for number in numbers] for kind in ("subnet", "eni", "fl")] == ids(merged)
    assert 1000.0 + age == merged.taken_at


def test_what_is_still_there_is_known_as_ec2_says_now() -> None:
    """Each entry once, with its newest contents."""
    merged = merge(inventory(1000.0, 1, 2), [Reading(HERE, inventory(2000.0, 1, 2))], TTL)

    assert inventory(2000.0, 1, 2) == merged


def test_if_no_source_could_be_read_nothing_changes() -> None:
    """Not even the time of the inventory."""
    old = inventory(1000.0, 1)

    assert old is merge(old, [Reading(HERE, None)], TTL)


def test_everything_of_a_failed_source_stays_known() -> None:
    """However long it fails, and the time of its last success stays."""
    old = merge(
        Inventory(),
        [Reading(HERE, inventory(1200.0, 1)), Reading(THERE, inventory(1000.0, 7, source=THERE))],
        TTL,
    )

    merged = merge(old, [Reading(HERE, inventory(99_000.0, 2)), Reading(THERE, None)], TTL)

    assert [["subnet-2", "subnet-7"], ["eni-2", "eni-7"], ["fl-2", "fl-7"]] == ids(merged)
    assert [99_000.0, 1000.0] == [source.taken_at for source in merged.sources]
    assert 99_000.0 == merged.taken_at


def test_a_source_that_was_never_read_has_no_time() -> None:
    """Its place is kept, so that its metric shows 0."""
    merged = merge(Inventory(), [Reading(HERE, inventory(1000.0, 1)), Reading(THERE, None)], TTL)

    assert [(HERE.key, 1000.0), (THERE.key, 0.0)] == [(source.key, source.taken_at) for source in merged.sources]


def test_the_inventory_is_as_new_as_its_newest_source() -> None:
    """Sources are read one after the other."""
    readings = [Reading(HERE, inventory(1000.0, 1)), Reading(THERE, inventory(1007.0, 2, source=THERE))]

    assert 1007.0 == merge(Inventory(), readings, TTL).taken_at
    assert 1007.0 == merge(Inventory(), readings[::-1], TTL).taken_at


@pytest.mark.parametrize("owner", [HERE, THERE], ids=["here", "there"])
def test_a_shared_subnet_is_as_its_owner_describes_it(owner: Source) -> None:
    """Both accounts list it; only the owner sees its name."""

    def seen_by(source: Source) -> Inventory:
        name = "shared" if source is owner else ""
        subnet = Subnet("subnet-5", "vpc-1", "", "", account_id=owner.account_id, name=name, source=source.key)
        return Inventory(1.0, (subnet,), sources=(source,))

    merged = merge(Inventory(), [Reading(HERE, seen_by(HERE)), Reading(THERE, seen_by(THERE))], TTL)

    assert [("shared", owner.key)] == [(subnet.name, subnet.source) for subnet in merged.subnets]


def test_a_shared_subnet_stays_as_its_owner_described_it_while_the_owner_fails() -> None:
    """What the other account sees is less, though newer."""
    seen_by_owner = Subnet("subnet-5", "vpc-1", "", "", account_id=HERE.account_id, name="shared", source=HERE.key)
    seen_by_other = Subnet("subnet-5", "vpc-1", "", "", account_id=HERE.account_id, source=THERE.key)
    old = Inventory(1.0, (seen_by_owner,), sources=(HERE, THERE))
    new = Inventory(2.0, (seen_by_other,), sources=(THERE,))

    assert (seen_by_owner,) == merge(old, [Reading(HERE, None), Reading(THERE, new)], TTL).subnets


def test_interfaces_that_were_looked_up_are_added() -> None:
    """The rest stays, the time of the inventory, too."""
    old = inventory(1000.0, 1)
    found = Interface("eni-2", "subnet-1", "vpc-1", seen_at=1500.0)

    merged = with_interfaces(old, [found])

    assert (*old.interfaces, found) == merged.interfaces
    assert old == msgspec.structs.replace(merged, interfaces=old.interfaces)
