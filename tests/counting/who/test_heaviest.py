"""The heaviest names: right where it matters, and never outside their bounds."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.answers import heaviest
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.heaviest import Rows, Summary, merge
from kcl_flowlog.counting.who.kinds import EGRESS, INGRESS, KEPT, KINDS, PAIR, PORT, SOURCE
from tests.counting.who.truth import SUBNET, address, errors, hour, rejects, sketch_of, top


@pytest.mark.parametrize("number", [1000, 5000])
@pytest.mark.parametrize("sources", [30, 5000])
def test_the_top_ten_of_an_hour_are_right(number: int, sources: int) -> None:
    """Of each kind, in the right order but for equal numbers; the numbers are exact."""
    flows = rejects(random.Random(number + sources), number, sources)

    found = hour(flows, commits=3)

    for kind, names in (
        (SOURCE, Counter(source for source, _, _ in flows)),
        (PORT, Counter(f"tcp/{port}" for _, _, port in flows)),
        (PAIR, Counter(f"{source} {destination}" for source, destination, _ in flows)),
    ):
        said = top(found, kind)
        assert [number for _, number in names.most_common(10)] == [names[each.name] for each in said]
        assert [] == errors(said, names)


def test_no_number_is_outside_its_bounds_however_parts_are_merged() -> None:
    """What may have been missed is at most the number of flows by the number of names that are kept."""
    rng = random.Random(1)
    flows = rejects(rng, 6000, 5000, share_of_spray=0.5)
    parts = [sketch_of(flows[start : start + 600]) for start in range(0, len(flows), 600)]
    truth = Counter(source for source, _, _ in flows)
    while len(parts) > 1:
        rng.shuffle(parts)
        some = rng.randrange(2, 5)
        parts = [sketches.combine(0, parts[:some]), *parts[some:]]

    said = top(parts[0], SOURCE, most=1000)

    assert KEPT[SOURCE] == len(said)
    assert [] == errors(said, truth)
    unseen = parts[0].summary.unseen[SOURCE]
    assert max(number for name, number in truth.items() if name not in {each.name for each in said}) <= unseen
    assert unseen <= len(flows) / KEPT[SOURCE]


def test_three_instances_together_say_what_one_says() -> None:
    """Each reads a third of the flows; the heaviest and the distinct numbers are as those of a single instance."""
    flows = rejects(random.Random(2), 5000, 1000)
    alone = hour(flows, commits=1)

    together = sketches.combine(11, [hour(flows[part::3], commits=1) for part in range(3)], kept=False)

    assert [each.name for each in top(alone, SOURCE)] == [each.name for each in top(together, SOURCE)]
    assert [] == errors(top(together, SOURCE), Counter(source for source, _, _ in flows))
    assert alone.distinct[SOURCE].number() == together.distinct[SOURCE].number()
    assert alone.distinct[PORT].number() == together.distinct[PORT].number()


def test_peers_are_told_by_bytes_and_direction() -> None:
    """Also a number of bytes that nobody can have sent does not overflow."""
    collector = Collector()
    for number in range(100):
        collector.add_accept(SUBNET, True, address(number), 1000 + number)
        collector.add_accept(SUBNET, False, "2001:db8:1:2:3:4:5:6789", 10**15)

    found = sketches.decode(sketches.encode(collector.take(0)))

    assert [(address(number), 1000 + number, 1000 + number) for number in (99, 98)] == top(found, EGRESS, 2)
    assert [("2001:db8:1:2:3:4:5:6789", 10**17, 10**17)] == top(found, INGRESS)


def test_sums_of_many_single_records_are_right_on_average() -> None:
    """Large flows count as they are; of small flows some stand for all, so few are looked at."""
    collector, rng, added = Collector(), random.Random(3), []
    for number in range(20_000):
        octets = 10**6 if number % 1000 == 0 else 100
        if collector.is_wanted(octets):
            collector.add_accept(SUBNET, True, address(number % 1000 and rng.randrange(1, 5)), octets)
            added.append(number)

    assert len(added) < 1500
    found = {each.name: each.about for each in top(collector.take(0), EGRESS)}

    assert 20 * 10**6 == found.pop(address(0))
    assert 4 * [pytest.approx(500_000, rel=0.25)] == [*found.values()]


def test_a_pair_is_one_name_whatever_comes_with_it() -> None:
    """Also if longer addresses come with it in some commits; pairs of long and short addresses are names as well."""
    v4, v6, short_v6 = "10.0.0.1", "2001:db8:1:2:3:4:5:6789", "2001:db8::1"
    several = [(v4, "10.0.0.2"), (v4, short_v6)], [(v4, "10.0.0.2"), (v6, v4)], [(v4, short_v6), (v4, v6), (v6, v6)]
    collectors = [Collector() for _ in several]
    for collector, flows in zip(collectors, several, strict=True):
        for source, destination in flows:
            collector.add_reject(SUBNET, source, destination, "tcp", "22")

    stored = [sketches.encode(collector.take(0)) for collector in collectors]
    found = sketches.combine(0, [*map(sketches.decode, stored)])

    truth = Counter(f"{source} {destination}" for flows in several for source, destination in flows)
    assert truth == {each.name: each.about for each in top(found, PAIR)}
    assert len(truth) == len(top(found, PAIR))


def test_small_subnets_keep_all_names_when_large_ones_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names without number in many subnets take only the room that there is."""
    monkeypatch.setattr("kcl_flowlog.counting.who.collector._MOST_ROWS", 500)
    monkeypatch.setattr("kcl_flowlog.counting.who.collector._MOST_PENDING", 2000)
    collector = Collector()
    for number in range(3000):
        collector.add_reject(f"subnet-{number % 30}", address(number * 2654435761 % (1 << 32)), "10.0.0.1", "tcp", "1")
    for number in range(5):
        collector.add_reject("subnet-small", address(number), "10.0.0.1", "tcp", "22")

    found = {each.subnets[0]: each for each in sketches.split(collector.take(0))}

    assert 31 == len(found)
    assert {(address(number), 1, 1) for number in range(5)} == set(top(found["subnet-small"], SOURCE))
    assert sum(len(each.summary.rows.groups) for each in found.values()) <= 500
    assert 100 == found["subnet-7"].distinct[SOURCE].number()


def rows(*names: tuple[int, int, str]) -> Summary:
    """Return flows from sources, each with its group and hash."""
    groups, hashes, texts = zip(*names, strict=True)
    size = 16 if max(map(len, texts)) <= 16 else 40
    padded = np.array([text.rjust(size, "\0") for text in texts], f"S{size}")
    numbers = np.ones(len(names)), np.zeros(len(names))
    return Summary(Rows(np.array(groups, np.int64), np.array(hashes, np.uint64), padded, *numbers))


@pytest.mark.parametrize("group", [SOURCE, KINDS * 70_000])
def test_names_whose_hashes_begin_alike_are_told_apart(group: int) -> None:
    """Rows are sorted by a part of their hash: then two such names may take turns."""
    alike = (7 << 32) + 1, (7 << 32) + 2
    flows = [(group, alike[turn % 2], f"10.0.0.{turn % 2}") for turn in range(5)]

    found = merge([rows(*flows)], group + KINDS)

    assert [("10.0.0.0", 3, 3), ("10.0.0.1", 2, 2)] == heaviest(found, group, 10)


def test_groups_beyond_sixteen_bits_stay_apart() -> None:
    flows = [(number << 16, 5, "10.0.0.1") for number in (0, 1, 2, 1)]

    found = merge([rows(*flows)], 3 << 16)

    assert [1, 2, 1] == [heaviest(found, number << 16, 1)[0].about for number in range(3)]


def test_short_and_long_names_merge() -> None:
    """A part with IPv6 addresses has wider names."""
    short, long = rows((0, 5, "10.0.0.1")), rows((0, 5, "10.0.0.1"), (0, 6, "2001:db8:1:2:3:4:5:6789"))

    found = merge([short, long, short], KINDS)

    assert [("10.0.0.1", 3, 3), ("2001:db8:1:2:3:4:5:6789", 1, 1)] == heaviest(found, SOURCE, 10)


def test_names_are_the_same_from_columns_and_from_storage() -> None:
    """Else a step would count a name twice that a commit has as columns read it, and another as it was stored."""
    flows = [("10.0.0.1", "10.0.0.2", "22"), ("2001:db8::1", "2001:db8::2", "22")]
    collector = Collector()
    for source, destination, port in flows:
        collector.add_reject(SUBNET, source, destination, "tcp", port)
    fresh = collector.take(0).summary.rows

    stored = sketch_of(flows).summary.rows

    assert fresh.hashes.tolist() == stored.hashes.tolist()
    assert fresh.names.tolist() == stored.names.tolist()
