"""Generated traffic."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest

from kcl_flowlog.demo.conversations import SCANNED_PORTS
from kcl_flowlog.demo.records import AGGREGATION_INTERVAL, End, Record, peer_label
from kcl_flowlog.demo.tally import SeriesKey, Tally
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.world import Subnet
from tests.support.demo_fakes import PRIVATE_A, PRIVATE_B, PUBLIC_A, WORLD

NOW = 1_800_000_030
INTERFACES = {interface.id: interface for interface in WORLD.interfaces}


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Ten minutes of traffic."""
    return Traffic(WORLD, random.Random(5)).step(NOW, 10 * AGGREGATION_INTERVAL, 8000)


def fields(record: Record) -> list[str]:
    return record.line.split()


def with_traffic(records: list[Record]) -> list[tuple[Record, SeriesKey]]:
    return [(record, record.key) for record in records if record.key is not None]


def test_the_same_seed_makes_the_same_records() -> None:
    """World, seed and time decide every record."""
    first, second = (Traffic(WORLD, random.Random(3)).step(NOW, 1, 300) for _ in range(2))
    assert first == second


def test_another_seed_makes_other_records() -> None:
    """The seed matters."""
    assert Traffic(WORLD, random.Random(3)).step(NOW, 1, 300) != Traffic(WORLD, random.Random(4)).step(NOW, 1, 300)


def test_every_line_has_the_fourteen_fields_of_the_default_format(records: list[Record]) -> None:
    """Each line is in the default format and comes from its own interface."""
    for record in records:
        assert 14 == len(fields(record))
        assert ["2", "123456789012", record.interface.id] == fields(record)[:3]


def test_a_record_counts_as_its_line_says(records: list[Record]) -> None:
    """Action, volume and status of the expected count are those of the line."""
    for record in records:
        packets, size, _, _, action, status = fields(record)[8:]
        if record.key is None:
            assert status.lower() == record.outcome
            assert ("-", "-", "-") == (packets, size, action)
        else:
            assert "OK" == status
            assert (packets, size) == (str(record.sums.packets), str(record.sums.bytes))
            assert action.lower() == record.key.action
            assert 1 == record.sums.flows


def test_the_own_end_is_the_source_of_egress_and_the_target_of_ingress(records: list[Record]) -> None:
    """The own address is the primary IPv4 address or an IPv6 address, on the side of the direction."""
    for record, key in with_traffic(records):
        own = fields(record)[3 if key.direction == "egress" else 4]
        assert own in (record.interface.ipv4[0], *record.interface.ipv6)


def test_inside_a_vpc_both_ends_record_each_direction(records: list[Record]) -> None:
    """An accepted flow between two interfaces is in the records of both, with the same volume."""
    address_to_subnet = {a: i.subnet.id for i in WORLD.interfaces for a in (*i.ipv4, *i.ipv6)}
    sent, received = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for record, key in with_traffic(records):
        if key.peer not in ("same_subnet", "same_zone", "cross_zone"):
            continue
        source, target = (address_to_subnet[address] for address in fields(record)[3:5])
        flows = sent if key.direction == "egress" else received
        flows[(source, target, *fields(record)[5:10])] += 1
    assert sent == received
    assert sum(sent.values()) > 1000


def test_the_peer_label_follows_from_the_address(records: list[Record]) -> None:
    """The label of the peer says where the other address is."""
    places = {a: i.subnet for i in WORLD.interfaces for a in (*i.ipv4, *i.ipv6)}
    for record, key in with_traffic(records):
        other = fields(record)[4 if key.direction == "egress" else 3]
        subnet = places.get(other)
        if subnet is None:
            private = other.startswith(("192.168.", "172.20.", "100.64.", "10.200."))
            assert ("private" if private else "internet") == key.peer
        elif subnet == record.interface.subnet:
            assert "same_subnet" == key.peer
        else:
            same_zone = subnet.zone_id == record.interface.subnet.zone_id
            assert ("same_zone" if same_zone else "cross_zone") == key.peer


def test_every_kind_of_traffic_occurs(records: list[Record]) -> None:
    """Ten minutes have every direction, action, protocol and peer, IPv6, and secondary addresses of peers."""
    keys = [key for _, key in with_traffic(records)]
    seen: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        for name, value in key._asdict().items():
            seen[name].add(value)
    assert {"ingress", "egress"} == seen["direction"]
    assert {"accept", "reject"} == seen["action"]
    assert {"tcp", "udp", "icmp", "icmpv6", "other"} == seen["protocol"]
    assert {"same_subnet", "same_zone", "cross_zone", "private", "internet"} == seen["peer"]
    assert {"subnet-1", "subnet-2", "subnet-3"} == seen["subnet_id"]
    assert {"egress", "ingress"} == {key.direction for key in keys if key.action == "reject"}
    assert any(fields(record)[4] == "10.0.16.111" for record in records)
    assert {"counted", "nodata", "skipdata"} == {record.outcome for record in records}


def test_an_idle_interface_writes_nodata_once_an_interval() -> None:
    """In ten minutes an idle interface writes NODATA about ten times, and no traffic."""
    traffic = Traffic(WORLD, random.Random(1), scan_interval=10**6)
    records = [record for second in range(600) for record in traffic.step(NOW + second, 1, 5)]
    of_idle = Counter(record.outcome for record in records if record.interface.id == "eni-13")
    assert 0 == of_idle["counted"]
    assert 3 <= of_idle["nodata"] <= 20


def test_a_scan_tries_every_interface_of_a_subnet() -> None:
    """Once per interval, an internet address tries all scanned ports of each interface of a subnet."""
    traffic = Traffic(WORLD, random.Random(2), scan_interval=60)
    steps = [with_traffic(traffic.step(NOW + second, 1, 0)) for second in range(120)]
    scans = [rejects for rejects in steps if rejects]
    assert 2 == len(scans)
    for rejects in scans:
        (subnet,) = {record.interface.subnet for record, _ in rejects}
        assert len(WORLD.interfaces_of(subnet)) * len(SCANNED_PORTS) == len(rejects)
        assert {("ingress", "reject", "tcp", "internet")} == {key[1:] for _, key in rejects}
        assert 1 == len({fields(record)[3] for record, _ in rejects})


def test_a_step_has_the_wanted_number_of_records() -> None:
    """A step has at least the wanted number of records with traffic, and at most a conversation more."""
    records = Traffic(WORLD, random.Random(7), scan_interval=10**6).step(NOW, 1, 250)
    assert 250 <= sum(record.key is not None for record in records) <= 253


@pytest.mark.parametrize(
    ("subnet", "peer"), [(PUBLIC_A, "same_subnet"), (PRIVATE_A, "same_zone"), (PRIVATE_B, "cross_zone")]
)
def test_a_peer_inside_is_labelled_by_subnet_and_zone(subnet: Subnet, peer: str) -> None:
    """A peer inside is in the same subnet, the same zone or another zone."""
    (other, *_) = WORLD.interfaces_of(subnet)
    assert peer == peer_label(INTERFACES["eni-12"], End(other.ipv4[0], other))


def test_a_tally_of_records_is_complete(records: list[Record]) -> None:
    """The tally of all records has an event per record and a flow per record with traffic."""
    tally = Tally()
    for record in records:
        record.count_into(tally)
    assert len(records) == sum(tally.events.values())
    assert tally.events["counted"] == tally.sum_of_all().flows
