"""Made-up traffic."""

import random
from collections import Counter, defaultdict

import pytest

from kcl_flowlog.demo.traffic import AGGREGATION_INTERVAL, SCANNED_PORTS, End, Traffic, peer_class
from kcl_flowlog.demo.truth import Truth
from tests.support.demo_fakes import PRIVATE_A, PRIVATE_B, PUBLIC_A, WORLD

NOW = 1_800_000_030
INTERFACES = {interface.id: interface for interface in WORLD.interfaces}


@pytest.fixture(scope="module")
def records():
    traffic = Traffic(WORLD, random.Random(5))
    return traffic.step(NOW, 10 * AGGREGATION_INTERVAL, 8000)


def fields(record):
    return record.line.split()


def test_the_same_seed_makes_the_same_records():
    """World, seed and time decide every record."""
    first, second = (Traffic(WORLD, random.Random(3)).step(NOW, 1, 300) for _ in range(2))
    assert first == second


def test_another_seed_makes_other_records():
    """The seed matters."""
    assert Traffic(WORLD, random.Random(3)).step(NOW, 1, 300) != Traffic(WORLD, random.Random(4)).step(NOW, 1, 300)


def test_every_line_has_the_fourteen_fields_of_the_default_format(records):
    """Each line is one of the default format, from its own interface."""
    for record in records:
        assert len(fields(record)) == 14
        assert ["2", "123456789012", record.interface.id] == fields(record)[:3]


def test_what_a_record_counts_as_agrees_with_its_line(records):
    """Action, volume and status of the truth are those of the line."""
    for record in records:
        packets, size, _, _, action, status = fields(record)[8:]
        if record.key is None:
            assert record.outcome == status.lower()
            assert (packets, size, action) == ("-", "-", "-")
        else:
            assert status == "OK"
            assert (str(record.sums.packets), str(record.sums.bytes)) == (packets, size)
            assert record.key.action == action.lower()
            assert record.sums.flows == 1


def test_the_own_end_is_the_source_of_egress_and_the_target_of_ingress(records):
    """The interface's own end is its primary IPv4 address or its IPv6 address, on the side of the direction."""
    for record in (record for record in records if record.key):
        own = fields(record)[3 if record.key.direction == "egress" else 4]
        assert own in (record.interface.ipv4[0], *record.interface.ipv6)


def test_inside_a_vpc_both_ends_record_each_direction(records):
    """What one interface sends to another, accepted, is in the records of both, with the same volume."""
    address_to_subnet = {a: i.subnet.id for i in WORLD.interfaces for a in (*i.ipv4, *i.ipv6)}
    sent, received = Counter(), Counter()
    for record in records:
        if record.key is None or record.key.peer not in ("same_subnet", "same_zone", "cross_zone"):
            continue
        source, target = (address_to_subnet[address] for address in fields(record)[3:5])
        book = sent if record.key.direction == "egress" else received
        book[(source, target, *fields(record)[5:10])] += 1
    assert sent == received
    assert sum(sent.values()) > 1000


def test_the_peer_is_what_its_address_is(records):
    """The class of the peer follows from where the other address really is."""
    places = {a: i.subnet for i in WORLD.interfaces for a in (*i.ipv4, *i.ipv6)}
    for record in (record for record in records if record.key):
        other = fields(record)[4 if record.key.direction == "egress" else 3]
        subnet = places.get(other)
        if subnet is None:
            private = other.startswith(("192.168.", "172.20.", "100.64.", "10.200."))
            assert ("private" if private else "internet") == record.key.peer
        elif subnet == record.interface.subnet:
            assert record.key.peer == "same_subnet"
        else:
            same_zone = subnet.zone_id == record.interface.subnet.zone_id
            assert ("same_zone" if same_zone else "cross_zone") == record.key.peer


def test_every_kind_of_traffic_occurs(records):
    """Ten minutes show every direction, action, protocol and peer, IPv6, and secondary addresses of peers."""
    keys = [record.key for record in records if record.key]
    seen = defaultdict(set)
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


def test_an_idle_interface_says_so_once_an_interval():
    """Over ten minutes an idle interface writes NODATA about ten times, and no traffic."""
    traffic = Traffic(WORLD, random.Random(1), scan_every=10**6)
    records = [record for second in range(600) for record in traffic.step(NOW + second, 1, 5)]
    of_idle = Counter(record.outcome for record in records if record.interface.id == "eni-13")
    assert of_idle["counted"] == 0
    assert 3 <= of_idle["nodata"] <= 20


def test_a_scan_comes_once_a_period_and_tries_every_interface_of_one_subnet():
    """A scan rejects all scanned ports at every interface of a subnet, from one address of the internet."""
    traffic = Traffic(WORLD, random.Random(2), scan_every=60)
    scans = []
    for second in range(120):
        records = traffic.step(NOW + second, 1, 0)
        rejects = [record for record in records if record.key]
        if rejects:
            scans.append(rejects)
    assert len(scans) == 2
    for rejects in scans:
        (subnet,) = {record.interface.subnet for record in rejects}
        assert len(WORLD.of_subnet(subnet)) * len(SCANNED_PORTS) == len(rejects)
        assert {("ingress", "reject", "tcp", "internet")} == {record.key[1:] for record in rejects}
        assert len({fields(record)[3] for record in rejects}) == 1


def test_the_wanted_number_is_reached_and_hardly_passed():
    """A step has at least as many records of traffic as wanted, and at most one conversation more."""
    records = Traffic(WORLD, random.Random(7), scan_every=10**6).step(NOW, 1, 250)
    assert 250 <= sum(record.key is not None for record in records) <= 253


@pytest.mark.parametrize(
    ("subnet", "peer"), [(PUBLIC_A, "same_subnet"), (PRIVATE_A, "same_zone"), (PRIVATE_B, "cross_zone")]
)
def test_a_peer_is_classed_by_subnet_and_zone(subnet, peer):
    """A peer inside is of the same subnet, the same zone or another zone."""
    (other, *_) = WORLD.of_subnet(subnet)
    assert peer == peer_class(INTERFACES["eni-12"], End(other.ipv4[0], other))


def test_records_count_themselves(records):
    """The truth of all records has one event a record and one flow a record of traffic."""
    truth = Truth()
    for record in records:
        record.count_into(truth)
    assert len(records) == sum(truth.events.values())
    assert truth.events["counted"] == truth.sum_where(lambda key: True).flows
