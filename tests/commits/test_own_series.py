"""Made-up subnets in records: the ledger stays small, those of the inventory keep their series, nothing is lost."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_flowlog.commits import own_series
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.own_series import MOST_NOTED
from kcl_flowlog.counting.delta import Delta, RejectedPort, Traffic
from kcl_flowlog.counting.subnet_bounds import OTHER_SUBNET, SubnetBounds
from tests.support.examples import examples
from tests.support.ledgers import claim, commit

BOUNDS = SubnetBounds(listed=3, unlisted=2)
LISTED = ("subnet-a", "subnet-b", "subnet-c")
ACTIONS = ("accept", "reject")
DAY = 86_400


def delta_of(flows: list[tuple[str, str]], listed: tuple[str, ...] = LISTED) -> Delta:
    """Return a delta with a flow, and if rejected also a port, for each subnet and action."""
    delta = Delta()
    for subnet_id, action in flows:
        delta.add_flow(Traffic(subnet_id, "ingress", action, "tcp", "internet"), 2, 3)
        if action == "reject":
            delta.rejected_ports[RejectedPort(subnet_id, "ingress", "tcp", "22")] += 1
    delta.listed_subnets = [name for name in listed if name in {subnet_id for subnet_id, _ in flows}]
    return delta


def flows_of(ledger: Ledger) -> dict[tuple[str, str], int]:
    return {(total.series.subnet_id, total.series.action): total.flows for total in ledger.totals().traffic}


MADE_UP = st.integers(0, 30).map("subnet-{:08x}".format)
FLOWS = st.lists(st.tuples(st.one_of(st.sampled_from(LISTED), MADE_UP), st.sampled_from(ACTIONS)), max_size=20)


@given(commits=st.lists(FLOWS, max_size=6))
def test_a_flood_of_made_up_subnets_changes_nothing_for_real_subnets(commits: list[list[tuple[str, str]]]) -> None:
    """Whatever the order: exact series for real subnets, exact sums for all, a bounded number of rows, no decrease."""
    put: Counter[tuple[str, str]] = Counter()
    before: dict[tuple[str, str], int] = {}
    with Ledger(Path(":memory:"), bounds=BOUNDS) as ledger:
        for flows in commits:
            put.update(flows)
            commit(ledger, claim(ledger), delta=delta_of(flows))
            found = flows_of(ledger)
            ports = ledger.totals().rejected_ports

            assert {key: number for key, number in put.items() if key[0] in LISTED} == {
                key: number for key, number in found.items() if key[0] in LISTED
            }
            for action in ACTIONS:
                of_action = [number for key, number in found.items() if key[1] == action]
                assert sum(number for key, number in put.items() if key[1] == action) == sum(of_action)
            assert sum(number for key, number in put.items() if key[1] == "reject") == sum(row.flows for row in ports)
            assert len({subnet_id for subnet_id, _ in found}) <= sum(BOUNDS) + 1
            assert all(found[key] >= number for key, number in before.items())
            before = found


def test_a_subnet_that_becomes_known_keeps_what_was_counted() -> None:
    """From `other` it gets separate series, which begin at 0; its earlier counts stay where they were."""
    new = [("subnet-new", "accept")]
    with closing(Ledger(Path(":memory:"), bounds=SubnetBounds(9, 0))) as bounded:
        held = claim(bounded)
        commit(bounded, held, "1", delta_of(new * 5))
        assert {(OTHER_SUBNET, "accept"): 5} == flows_of(bounded)
        assert 1 == bounded.totals().folded_subnets

        commit(bounded, held, "2", delta_of(new * 2, ("subnet-new",)))

        assert {(OTHER_SUBNET, "accept"): 5, ("subnet-new", "accept"): 2} == flows_of(bounded)
        assert 0 == bounded.totals().folded_subnets
        # A later delta of a processor whose inventory is older changes nothing.
        commit(bounded, held, "3", delta_of(new, ()))
        assert {(OTHER_SUBNET, "accept"): 5, ("subnet-new", "accept"): 3} == flows_of(bounded)


def test_a_made_up_subnet_makes_room_when_it_is_idle(path: Path) -> None:
    """`other` itself never ends, and the subnets in it are forgotten by name."""
    with Ledger(path, bounds=SubnetBounds(9, 1)) as ledger:
        held = claim(ledger)
        commit(ledger, held, "1", delta_of([("subnet-x", "accept"), ("subnet-y", "accept")]))
        assert {("subnet-x", "accept"): 1, (OTHER_SUBNET, "accept"): 1} == flows_of(ledger)
        ledger.pass_time(DAY)

        dropped = ledger.forget_idle_subnets((), DAY - 1)
        commit(ledger, held, "2", delta_of([("subnet-y", "accept")]))

        assert ["subnet-x"] == dropped
        assert {("subnet-y", "accept"): 1, (OTHER_SUBNET, "accept"): 1} == flows_of(ledger)
        assert 0 == ledger.totals().folded_subnets


def test_twenty_thousand_made_up_subnets_leave_a_small_ledger() -> None:
    """A row for each of `other`'s series; the gauge stops at what is noted by name."""
    with Ledger(Path(":memory:"), bounds=BOUNDS) as ledger:
        held = claim(ledger)
        commit(ledger, held, "1", delta_of([(f"subnet-{number:08x}", "accept") for number in range(20_000)]))
        commit(ledger, held, "2", delta_of([(name, "reject") for name in LISTED]))

        assert {
            **dict.fromkeys([("subnet-00000000", "accept"), ("subnet-00000001", "accept")], 1),
            (OTHER_SUBNET, "accept"): 19_998,
            **{(name, "reject"): 1 for name in LISTED},
        } == flows_of(ledger)
        assert MOST_NOTED == ledger.totals().folded_subnets


@given(commits=st.lists(FLOWS, max_size=4), listed=st.sets(st.sampled_from(LISTED)))
@settings(max_examples=examples(25))
def test_a_commit_of_few_subnets_decides_as_one_of_many(commits: list[list[tuple[str, str]]], listed: set[str]) -> None:
    """It does not read all subnets if its own are known; subnets that are listed later are noted all the same."""
    found: list[object] = []
    for few in (0, 100):
        with pytest.MonkeyPatch.context() as patch, Ledger(Path(":memory:"), bounds=BOUNDS) as ledger:
            patch.setattr(own_series, "_FEW", few)
            for number, flows in enumerate(commits):
                commit(ledger, claim(ledger), delta=delta_of(flows, LISTED if number else tuple(sorted(listed))))
            found.append((ledger.totals(), dict(own_series.SUBNETS.all_rows(ledger._connection))))

    assert found[0] == found[1]
