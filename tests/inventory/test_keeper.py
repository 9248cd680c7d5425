"""The inventory, read from a fake EC2 and kept current."""

import logging

import botocore.exceptions
import pytest

from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.inventory.ec2 import read_inventory
from kcl_flowlog.inventory.keeper import InventoryKeeper, merged
from tests.support.demo_fakes import eventually

SUBNETS, INTERFACES, FLOW_LOGS = "describe_subnets", "describe_network_interfaces", "describe_flow_logs"
HERE = Source("eu-west-1", "111111111111", "eu-west-1")
THERE = Source("arn:aws:iam::222222222222:role/r eu-west-1", "222222222222", "eu-west-1")
DENIED = botocore.exceptions.ClientError({"Error": {"Code": "UnauthorizedOperation"}}, "Describe")
THROTTLED = botocore.exceptions.ClientError({"Error": {"Code": "RequestLimitExceeded"}}, "Describe")
OLD_LIBRARY = botocore.exceptions.ParamValidationError(report="Unknown parameter")
UNREACHABLE = botocore.exceptions.EndpointConnectionError(endpoint_url="https://ec2")


def subnet_item(number):
    return {"SubnetId": f"subnet-{number}", "VpcId": "vpc-1", "CidrBlock": f"10.0.{number}.0/24"}


def interface_item(number):
    return {"NetworkInterfaceId": f"eni-{number}", "SubnetId": "subnet-1", "VpcId": "vpc-1"}


def flow_log_item(number):
    return {
        "FlowLogId": f"fl-{number}",
        "ResourceId": "vpc-1",
        "LogGroupName": "group",
        "LogFormat": "${bytes}",
        "TrafficType": "ALL",
    }


class FakeEc2:
    """EC2 with these pages of each operation; an exception among the pages is raised."""

    def __init__(self, subnet_pages=((1,),), interface_pages=((1,),), flow_log_pages=((1,),)):
        self.asked = []
        self.pages = {
            SUBNETS: ("Subnets", subnet_item, subnet_pages),
            INTERFACES: ("NetworkInterfaces", interface_item, interface_pages),
            FLOW_LOGS: ("FlowLogs", flow_log_item, flow_log_pages),
        }

    def fail(self, operation, error):
        self.pages[operation] = (*self.pages[operation][:2], (error,))
        return self

    def get_paginator(self, operation):
        self.operation = operation
        return self

    def paginate(self, **asked):
        self.asked.append((self.operation, asked))
        key, item, pages = self.pages[self.operation]
        for page in pages:
            if isinstance(page, Exception):
                raise page
            yield {key: [item(entry) if isinstance(entry, int) else entry for entry in page]}


class Keeper:
    """A keeper with a fake EC2, a clock that is told the time, and a list of what it saved."""

    def __init__(self, ec2=None, saved=None, ttl=3600.0, interval=1800.0, there=None):
        self.now = 1000.0
        self.saved = []
        self.ec2 = ec2 or FakeEc2()
        origins = [SourceReader(HERE, lambda: (HERE.account_id, self.ec2))]
        if there is not None:
            origins.append(SourceReader(THERE, lambda: (THERE.account_id, there)))
        self.keeper = InventoryKeeper(origins, saved, self.saved.append, interval, ttl, lambda: self.now)

    def names(self):
        return [subnet.subnet_id for subnet in self.keeper.current.subnets]


def test_all_pages_are_read():
    """An account with more than one page of subnets or interfaces is known whole."""
    ec2 = FakeEc2(((1, 2), (3,)), ((1,), (), (2, 3)))

    inventory = read_inventory(ec2, HERE, 1000.0)

    assert [subnet.subnet_id for subnet in inventory.subnets] == ["subnet-1", "subnet-2", "subnet-3"]
    assert [interface.interface_id for interface in inventory.interfaces] == ["eni-1", "eni-2", "eni-3"]
    assert [flow_log.flow_log_id for flow_log in inventory.flow_logs] == ["fl-1"]
    assert inventory.sources == (Source("eu-west-1", "111111111111", "eu-west-1", 1000.0, True, True),)
    page = {"PaginationConfig": {"PageSize": 1000}}
    managed = {**page, "IncludeManagedResources": True}
    assert ec2.asked == [(SUBNETS, page), (INTERFACES, managed), (FLOW_LOGS, page)]


def test_a_subnet_is_taken_with_all_that_ec2_says_of_it():
    """CIDR blocks of both families, the zone by its id, the owner and the name; a detached IPv6 block is none."""
    item = {
        **subnet_item(7),
        "AvailabilityZoneId": "euc1-az2",
        "OwnerId": "123456789012",
        "Tags": [{"Key": "team", "Value": "net"}, {"Key": "Name", "Value": "public-a"}],
        "Ipv6CidrBlockAssociationSet": [
            {"Ipv6CidrBlock": "2001:db8:1::/64", "Ipv6CidrBlockState": {"State": "associated"}},
            {"Ipv6CidrBlock": "2001:db8:2::/64", "Ipv6CidrBlockState": {"State": "disassociated"}},
        ],
    }
    assert read_inventory(FakeEc2(((item,),)), HERE, 5.0).subnets == (
        Subnet(
            "subnet-7",
            "vpc-1",
            "euc1-az2",
            "10.0.7.0/24",
            ("2001:db8:1::/64",),
            "123456789012",
            "public-a",
            5.0,
            "eu-west-1",
        ),
    )


def test_a_subnet_of_ipv6_only_has_no_cidr_of_ipv4():
    """Such a subnet is known all the same."""
    item = {
        "SubnetId": "subnet-6",
        "VpcId": "vpc-1",
        "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/64"}],
    }
    assert read_inventory(FakeEc2(((item,),)), HERE, 5.0).subnets[0].cidrs == ("2001:db8::/64",)


def test_an_interface_is_taken_with_all_its_private_addresses():
    """Primary, secondary and IPv6 addresses, each once, and the prefixes that are delegated to it."""
    item = {
        **interface_item(7),
        "PrivateIpAddress": "10.0.1.5",
        "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.5"}, {"PrivateIpAddress": "10.0.1.6"}],
        "Ipv6Addresses": [{"Ipv6Address": "2001:db8::5"}],
        "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.64/28"}],
        "Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8:0:0:7::/80"}],
    }
    assert read_inventory(FakeEc2(interface_pages=((item,),)), HERE, 5.0).interfaces == (
        Interface(
            *("eni-7", "subnet-1", "vpc-1", ("10.0.1.5", "10.0.1.6", "2001:db8::5"), 5.0),
            prefixes=("10.0.1.64/28", "2001:db8:0:0:7::/80"),
            source="eu-west-1",
        ),
    )


def test_an_older_aws_library_lists_the_interfaces_it_knows_to_ask_for():
    """A parameter that it does not know is left out."""
    ec2 = FakeEc2()
    ec2.paginate = lambda **asked: [{"NetworkInterfaces": [interface_item(1)], "Subnets": [], "FlowLogs": []}]
    known, ec2.paginate = ec2.paginate, lambda **asked: _refuse(asked) or known(**asked)

    assert [interface.interface_id for interface in read_inventory(ec2, HERE, 1.0).interfaces] == ["eni-1"]


def _refuse(asked):
    if "IncludeManagedResources" in asked:
        raise OLD_LIBRARY


def test_a_flow_log_is_taken_with_its_format():
    """Those that write to a log group, of our own or of a transit gateway; not those to a bucket."""
    to_bucket = {"FlowLogId": "fl-8", "ResourceId": "vpc-1", "LogDestinationType": "s3", "LogFormat": "${bytes}"}
    transit = {"FlowLogId": "fl-9", "ResourceId": "tgw-1", "LogGroupName": "group", "LogFormat": "${tgw-id}"}

    assert read_inventory(FakeEc2(flow_log_pages=((1, to_bucket), (transit,))), HERE, 5.0).flow_logs == (
        FlowLog("fl-1", "vpc-1", "group", "${bytes}", "ALL", "111111111111", 5.0, "eu-west-1"),
        FlowLog("fl-9", "tgw-1", "group", "${tgw-id}", "ALL", "111111111111", 5.0, "eu-west-1"),
    )


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("operation", "action", "listed"),
    [
        (INTERFACES, "ec2:DescribeNetworkInterfaces", (False, True)),
        (FLOW_LOGS, "ec2:DescribeFlowLogs", (True, False)),
    ],
)
def test_without_permission_to_list_the_rest_the_subnets_are_enough(operation, action, listed, caplog):
    """The inventory goes on without, says that it does, and warns of it only once."""
    told = Keeper(FakeEc2().fail(operation, DENIED))

    assert [told.keeper.refresh() for _ in range(3)] == [True, True, True]

    assert told.names() == ["subnet-1"]
    (source,) = told.keeper.current.sources
    assert (source.interfaces_listed, source.flow_logs_listed) == listed
    (warning,) = warnings_of(caplog)
    assert warning.startswith(f"Not permitted: {action} in eu-west-1.")


def test_without_permission_to_list_subnets_nothing_can_be_counted():
    """Forbidden subnets with nothing known are the user's to mend, by the named action."""
    with pytest.raises(ConfigError, match="allow the action ec2:DescribeSubnets"):
        Keeper(FakeEc2().fail(SUBNETS, DENIED)).keeper.refresh()


@pytest.mark.parametrize("error", [DENIED, THROTTLED, UNREACHABLE], ids=["denied", "throttled", "unreachable"])
@pytest.mark.parametrize("operation", [SUBNETS, INTERFACES, FLOW_LOGS])
def test_a_failed_refresh_keeps_the_last_good_inventory(error, operation, caplog):
    """Whatever EC2 refuses later, what was known is still known and nothing worse is saved."""
    told = Keeper()
    told.keeper.refresh()
    good, told.now = told.keeper.current, 2000.0

    told.ec2.fail(operation, error)
    worked = told.keeper.refresh()

    if operation != SUBNETS and error is DENIED:
        assert worked
        assert told.keeper.current.interfaces[0].interface_id == good.interfaces[0].interface_id
        return
    assert not worked
    assert told.keeper.current is good
    assert len(told.saved) == 1
    assert dict(told.keeper.refreshes) == {"ok": 1, "error": 1}
    assert "going on with the last good one" in caplog.text


def test_an_inventory_that_can_not_be_saved_is_a_failed_refresh(caplog):
    """With a full disk the processors have the old file, so the launcher goes on with the same."""

    def save(data):
        raise OSError(28, "No space left on device")

    keeper = InventoryKeeper([SourceReader(HERE, lambda: ("", FakeEc2()))], None, save, 1800, 3600, lambda: 1000.0)

    assert keeper.refresh() is False
    assert (keeper.is_there, dict(keeper.refreshes)) == (False, {"ok": 0, "error": 1})
    assert "could not be saved" in caplog.text


def test_each_inventory_is_saved_as_the_processors_read_it():
    """What is saved is what is current."""
    told = Keeper()
    told.keeper.refresh()
    assert [subnets.load(data) for data in told.saved] == [told.keeper.current]


def inventory_of(moment, *numbers):
    return Inventory(
        moment,
        tuple(Subnet(f"subnet-{n}", "vpc-1", "", "", seen_at=moment, source=HERE.key) for n in numbers),
        tuple(Interface(f"eni-{n}", "subnet-1", "vpc-1", (), moment, source=HERE.key) for n in numbers),
        (),
        (Source(HERE.key, HERE.account_id, HERE.region, moment),),
    )


@pytest.mark.parametrize(
    ("age", "known"),
    [(0.0, ["2", "1"]), (3600.0, ["2", "1"]), (3600.1, ["2"])],
    ids=["just gone", "to the end", "over"],
)
def test_what_was_deleted_stays_known_for_the_ttl(age, known):
    """A deleted subnet or interface is known until the ttl is over since EC2 last named it."""
    both = merged(inventory_of(1000.0, 1), [(HERE, inventory_of(1000.0 + age, 2))], ttl=3600.0)
    assert [subnet.subnet_id.removeprefix("subnet-") for subnet in both.subnets] == known
    assert [interface.interface_id.removeprefix("eni-") for interface in both.interfaces] == known
    assert both.taken_at == 1000.0 + age


def test_what_is_still_there_is_known_by_its_newest_form():
    """A subnet that both know is there once, as EC2 says now."""
    both = merged(inventory_of(1000.0, 1, 2), [(HERE, inventory_of(2000.0, 1, 2))], ttl=3600.0)
    assert both == inventory_of(2000.0, 1, 2)


def test_the_ttl_of_the_deleted_is_not_prolonged_by_refreshes():
    """A refresh each 30 minutes does not keep a deleted subnet alive."""
    told = Keeper(FakeEc2(((1, 2),)), ttl=3600.0)
    told.keeper.refresh()
    told.ec2.pages[SUBNETS] = ("Subnets", subnet_item, ((2,),))
    seen = []
    for told.now in (2800.0, 4600.0, 6400.0):
        told.keeper.refresh()
        seen.append(told.names())
    assert seen == [["subnet-2", "subnet-1"], ["subnet-2", "subnet-1"], ["subnet-2"]]


def test_a_failing_account_keeps_its_last_good_inventory(caplog):
    """The others are read anew, its own stays whole for as long as it takes, over a restart too, and it shows."""
    there = FakeEc2(((7,),), ((7,),), ((7,),))
    told = Keeper(ttl=3600.0, there=there)
    told.keeper.refresh()
    there.fail(SUBNETS, DENIED)
    told.ec2.pages[SUBNETS] = ("Subnets", subnet_item, ((2,),))

    for told.now in (5000.0, 10_000.0):
        assert told.keeper.refresh()
    again = Keeper(FakeEc2(((3,),)), saved=told.saved[-1], there=there)
    again.now = 15_000.0
    again.keeper.refresh()

    assert told.names() == ["subnet-2", "subnet-7"]
    assert again.names() == ["subnet-3", "subnet-7"]
    assert [flow_log.flow_log_id for flow_log in again.keeper.current.flow_logs] == ["fl-1", "fl-7"]
    assert [source.taken_at for source in again.keeper.current.sources] == [15_000.0, 1000.0]
    assert dict(told.keeper.refreshes) == {"ok": 1, "error": 2}
    assert f"The inventory of {THERE.key} could not be read" in caplog.text


def test_an_account_that_was_never_read_shows_as_such():
    """Its last success is 0, which no alert can miss."""
    told = Keeper(there=FakeEc2().fail(SUBNETS, UNREACHABLE))
    told.keeper.refresh()
    assert [(source.account_id, source.taken_at) for source in told.keeper.current.sources] == [
        ("111111111111", 1000.0),
        ("222222222222", 0.0),
    ]


def test_an_account_that_is_no_longer_asked_for_is_forgotten_after_the_ttl():
    """Its subnets may still have records on their way."""
    both = Keeper(there=FakeEc2(((7,),)))
    both.keeper.refresh()
    alone = Keeper(saved=both.saved[-1])
    seen = []
    for alone.now in (4600.0, 4601.0):
        alone.keeper.refresh()
        seen.append(alone.names())
    assert seen == [["subnet-1", "subnet-7"], ["subnet-1"]]


@pytest.mark.parametrize("owner", [HERE, THERE], ids=["ours", "theirs"])
def test_a_shared_subnet_is_as_its_owner_describes_it(owner):
    """Both accounts name it; a participant does not see its tags."""
    shared = {**subnet_item(5), "OwnerId": owner.account_id}
    owned = {**shared, "Tags": [{"Key": "Name", "Value": "shared"}]}
    ours, theirs = (FakeEc2(((owned if owner is source else shared,),)) for source in (HERE, THERE))
    told = Keeper(ours, there=theirs)
    told.keeper.refresh()
    assert [(subnet.name, subnet.source) for subnet in told.keeper.current.subnets] == [("shared", owner.key)]


def test_one_account_that_is_forbidden_does_not_stop_the_others():
    """Only where every one is forbidden, and nothing known, is it the user's to mend."""
    assert Keeper(FakeEc2().fail(SUBNETS, DENIED), there=FakeEc2()).keeper.refresh()
    with pytest.raises(ConfigError, match="ec2:DescribeSubnets"):
        Keeper(FakeEc2().fail(SUBNETS, DENIED), there=FakeEc2().fail(SUBNETS, DENIED)).keeper.refresh()
    nowhere = Keeper(FakeEc2().fail(SUBNETS, DENIED), there=FakeEc2().fail(SUBNETS, UNREACHABLE))
    assert nowhere.keeper.refresh() is False


def test_flow_logs_that_record_the_same_are_warned_of_once(caplog):
    """Each new pair is told, and all are there to be counted."""
    over_subnet = {**flow_log_item(2), "ResourceId": "subnet-1", "LogGroupName": "other"}
    told = Keeper(FakeEc2(flow_log_pages=((1, over_subnet),)))

    told.keeper.refresh()
    told.keeper.refresh()

    assert warnings_of(caplog) == [
        "The flow logs fl-1 and fl-2 record the same traffic, which counts twice if both of their log groups are"
        " subscribed to the stream."
    ]
    assert len(told.keeper.overlaps) == 1


def test_many_overlaps_are_not_all_told(caplog):
    """Five are enough to see what is wrong."""
    Keeper(FakeEc2(flow_log_pages=((*range(1, 6),),))).keeper.refresh()
    assert len(warnings_of(caplog)) == 6
    assert warnings_of(caplog)[-1] == "5 more pairs of flow logs record the same traffic."


def test_the_first_reading_tries_again_until_it_works():
    """While nothing is known, each failure is followed by a longer wait, at most a minute, and another try."""
    told = Keeper(FakeEc2().fail(SUBNETS, UNREACHABLE))
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 8:
            told.ec2.pages[SUBNETS] = ("Subnets", subnet_item, ((1,),))
        return False

    assert told.keeper.first_read(wait) is True
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert told.names() == ["subnet-1"]


def test_the_first_reading_ends_when_it_is_asked_to():
    """A stop during the waits ends them, and says that there is no inventory."""
    told = Keeper(FakeEc2().fail(SUBNETS, UNREACHABLE))
    assert told.keeper.first_read(lambda seconds: True) is False
    assert not told.keeper.is_there


@pytest.mark.parametrize("error", [UNREACHABLE, DENIED], ids=["unreachable", "denied"])
def test_a_saved_inventory_is_enough_to_start(error):
    """An instance that restarts while EC2 can't be asked goes on with what it knew."""
    saved = subnets.dump(inventory_of(900.0, 5))
    told = Keeper(FakeEc2().fail(SUBNETS, error), saved=saved)
    assert told.keeper.is_there

    assert told.keeper.first_read(lambda seconds: pytest.fail("waited")) is True

    assert told.names() == ["subnet-5"]


def test_a_saved_inventory_keeps_the_deleted_known_over_a_restart():
    """What was deleted while the instance was down is known for its ttl."""
    told = Keeper(FakeEc2(((1,),)), saved=subnets.dump(inventory_of(900.0, 5)))
    told.keeper.refresh()
    assert told.names() == ["subnet-1", "subnet-5"]


@pytest.mark.parametrize("saved", [b"", b"{", b"[]", b'{"subnets": 3}', b'{"subnets": [{"subnet_id": "\xff"}]}'])
def test_a_broken_saved_inventory_is_as_none(saved, caplog):
    """A file that can't be read is told in the log, and a new inventory is read."""
    told = Keeper(saved=saved)
    assert not told.keeper.is_there
    assert "The saved inventory can't be read" in caplog.text
    assert told.keeper.refresh()


@pytest.fixture
def kept(request):
    """A keeper whose thread runs, with an interval so long that only what is asked for is read."""
    told = Keeper(interval=getattr(request, "param", 3600.0))
    told.keeper.start()
    yield told
    told.keeper.stop()
    told.keeper._thread.join(5)
    assert not told.keeper._thread.is_alive()


def readings(told):
    return told.keeper.refreshes["ok"]


def test_unknown_interfaces_cause_one_early_refresh_a_minute(kept):
    """However often it is asked for, EC2 is read again at most once a minute."""
    for _ in range(100):
        kept.keeper.ask_for_refresh()
    assert eventually(lambda: readings(kept) == 1)

    kept.now += 59.9
    kept.keeper.ask_for_refresh()
    assert not kept.keeper._wake.is_set()

    kept.now += 0.1
    kept.keeper.ask_for_refresh()
    assert eventually(lambda: readings(kept) == 2)


@pytest.mark.parametrize("kept", [0.02], indirect=True)
def test_the_inventory_is_read_at_each_interval(kept):
    """Without being asked, and over failures too, the thread goes on reading EC2."""
    assert eventually(lambda: readings(kept) >= 2)
    kept.ec2.fail(SUBNETS, UNREACHABLE)
    assert eventually(lambda: kept.keeper.refreshes["error"] >= 2)
    kept.ec2.pages[SUBNETS] = ("Subnets", subnet_item, ((1,),))
    before = readings(kept)
    assert eventually(lambda: readings(kept) > before)
