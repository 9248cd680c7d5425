"""What is kept of EC2's words about interfaces."""

from __future__ import annotations

import pytest

from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.inventory.interface_details import InterfaceDetails, KeptDetails
from kcl_flowlog.inventory.keeper import InventoryKeeper
from tests.support.ec2 import HERE, INTERFACES, FakeEc2, Item


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({}, InterfaceDetails()),
        (
            {
                "Description": "ELB app/shop",
                "InterfaceType": "interface",
                "Attachment": {"InstanceId": "i-1"},
                "Groups": [{"GroupName": "web", "GroupId": "sg-1"}, {"GroupId": "sg-2"}],
                "TagSet": [{"Key": "team", "Value": "net"}, {"Key": "Name", "Value": "shop"}],
            },
            InterfaceDetails("ELB app/shop", "interface", "i-1", ("web", "sg-2"), "shop"),
        ),
    ],
)
def test_the_words_of_ec2_are_kept(item: Item, expected: InterfaceDetails) -> None:
    """Each may be missing."""
    details = KeptDetails()

    details.note({"NetworkInterfaceId": "eni-1", **item})

    assert {"eni-1": expected} == details.of_interface


def test_details_are_kept_as_long_as_their_interface_is_known() -> None:
    """Interfaces come and go all day; their details must not gather."""
    ec2 = FakeEc2(interfaces=((1, 2),))
    now, ttl = [1000.0], 3600.0
    details = KeptDetails()
    readers = [SourceReader(HERE, lambda: (HERE.account_id, ec2))]
    keeper = InventoryKeeper(readers, None, lambda _: None, 3600.0, ttl, lambda: now[0], details=details)
    keeper.refresh()
    ec2.pages[INTERFACES] = ((2, 3),)

    kept = []
    for pause in (ttl, 1.0):
        now[0] += pause
        keeper.refresh()
        kept.append(sorted(details.of_interface))

    assert [["eni-1", "eni-2", "eni-3"], ["eni-2", "eni-3"]] == kept
