"""The story of the demo: its table of acts, and the traffic that it makes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from kcl_flowlog.demo.records import Record
from kcl_flowlog.demo.story import BURST, LENGTH, NAT, QUIET, SCAN, SPRAY, STOPPED, STORY, Act, StoryClock, act_at
from kcl_flowlog.demo.story_traffic import StoryTraffic
from ops.values import read_values
from tests.support.clocks import FakeClock
from tests.support.story import WORLD

BEGIN = 1_800_000_000


def test_acts_follow_each_other_and_their_alerts_fire_before_the_next() -> None:
    """So each alert belongs to an act."""
    for act, following in pairwise(STORY):
        assert act.start < act.end <= following.start
        assert [] == [each for each in act.alerts if act.start + each.within > following.start]


def test_the_alerts_of_the_story_exist() -> None:
    levels = {(name, level.severity) for name, levels in read_values().alerts.items() for level in levels}

    assert set() == {(each.alert, each.severity) for act in STORY for each in act.alerts} - levels


@pytest.mark.parametrize(
    ("second", "act"),
    [(-1, None), (0, QUIET), (59.9, QUIET), (60, BURST), (129, BURST), (130, SCAN), (1000, STOPPED)],
)
def test_an_act_lasts_until_the_next(second: float, act: Act | None) -> None:
    assert act == act_at(second)


def test_the_clock_begins_once() -> None:
    clock = FakeClock()
    story = StoryClock(clock)
    assert (-1.0, False) == (story.second, story.is_over)

    story.begin()
    clock.now += LENGTH - 1
    story.begin()

    assert (LENGTH - 1, False) == (story.second, story.is_over)
    clock.now += 1
    assert story.is_over


def told(begin: float, end: float, seconds: float = 5.0) -> Iterator[Record]:
    """Yield the records between two seconds of the story."""
    second = begin
    traffic = StoryTraffic(WORLD, random.Random(1), lambda: second)
    while second < end:
        second += seconds
        yield from traffic.step(int(BEGIN + second), seconds, round(20 * seconds))


def rejects(act: Act) -> list[list[str]]:
    """Return the fields of the lines that the act adds: rejected on arrival from the internet, around its time."""
    return [
        record.line.split()
        for record in told(act.start - 20, act.end + 20)
        if record.key is not None
        and (record.key.direction, record.key.action, record.key.peer) == ("ingress", "reject", "internet")
        and record.interface.subnet.name == act.subnet
    ]


def test_a_burst_is_many_rejects_from_one_address() -> None:
    lines = rejects(BURST)

    assert (130 * 60, {("198.19.0.66", "443")}) == (len(lines), {(line[3], line[6]) for line in lines})


def test_a_scan_tries_each_port_on_each_interface() -> None:
    ports = Counter(int(line[6]) for line in rejects(SCAN))

    assert dict.fromkeys(range(20, 320), 4) == ports


def test_a_spray_comes_from_as_many_addresses_as_flows() -> None:
    lines = rejects(SPRAY)

    assert (4500, 4500, {"3389"}) == (len(lines), len({line[3] for line in lines}), {line[6] for line in lines})


@pytest.mark.parametrize("pace", [0.3, 1.0, 7.0])
def test_the_flows_of_an_act_do_not_depend_on_the_pace(pace: float) -> None:
    """The producer is late on a loaded machine."""
    found = [record for record in told(BURST.start - 1, BURST.end + 10, pace) if "198.19.0.66" in record.line]

    assert 130 * 60 == len(found)


def bytes_at_gateway(begin: float, end: float) -> dict[tuple[str, str], int]:
    """Return the bytes at the NAT gateway by direction and peer."""
    found: Counter[tuple[str, str]] = Counter()
    for record in told(begin, end):
        if record.interface in WORLD.nat_gateways and record.key is not None:
            found[record.key.direction, record.key.peer] += record.sums.bytes
    return found


def test_reads_from_s3_go_through_the_gateway_for_one_act() -> None:
    """The gateway records both sides, and sends inside the zone what it receives."""
    through = bytes_at_gateway(NAT.start, NAT.end - 5)

    assert ({}, {}) == (bytes_at_gateway(NAT.start - 40, NAT.start - 5), bytes_at_gateway(NAT.end, NAT.end + 20))
    assert through["ingress", "internet"] == through["egress", "same_zone"]
    assert through["egress", "internet"] == through["ingress", "same_zone"]
    # More than the floor of the alert, in bytes per second, on its time line.
    assert through["ingress", "internet"] / 55 / 60 > 3e6


def test_a_stopped_interface_says_that_it_has_no_data() -> None:
    stopped = next(each for each in WORLD.interfaces if each.subnet.name == STOPPED.subnet)

    before, after = (
        {record.outcome for record in told(begin, begin + 200) if record.interface == stopped}
        for begin in (0, STOPPED.start)
    )

    assert "counted" in before
    assert {"nodata"} == after


def test_quiet_traffic_rejects_the_same_ports_again_and_again() -> None:
    """An hour of the rules must know each port that a later hour rejects."""
    ports = {
        record.line.split()[6] for record in told(0, 60) if record.key is not None and record.key.action == "reject"
    }

    assert {"25", "443"} == ports


def test_the_same_seed_tells_the_same_story() -> None:
    assert list(told(SCAN.start, SCAN.end)) == list(told(SCAN.start, SCAN.end))
