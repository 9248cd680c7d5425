"""The log groups that are counted: the values of --log-group."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.log_groups import LogGroups
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.payload import PayloadCounter
from tests.support.balance import imbalances_of
from tests.support.builders import GOOD, NODATA, NOW, ORIGIN, counted, counter_for, envelope, labelled

# The patterns, log groups that are counted, and log groups that are not.
CASES = [
    ("", "/vpc/a x", ""),
    ("/vpc/*", "/vpc/ /vpc/a /vpc/a/b", "/dns/vpc/a vpc/a /VPC/a"),
    ("/vpc/* flow-logs", "/vpc/a flow-logs", "flow-logs-2"),
    ("!/dns/*", "/vpc/a dns", "/dns/a"),
    ("/vpc/* !/vpc/test*", "/vpc/a", "/vpc/test /vpc/test-2 /dns/a"),
    ("!/vpc/test* /vpc/*", "/vpc/a", "/vpc/test /vpc/test-2 /dns/a"),
    ("/vpc/?", "/vpc/a", "/vpc/ /vpc/ab"),
    ("/vpc/[ab]", "/vpc/a", "/vpc/c"),
    ("/vpc/[!ab]", "/vpc/c", "/vpc/a"),
    ("a.b#c", "a.b#c", "axb#c"),
]


@pytest.mark.parametrize(("patterns", "wanted", "others"), CASES)
def test_patterns_choose_log_groups(patterns: str, wanted: str, others: str) -> None:
    """An exclusion wins, wherever it stands; with exclusions alone, all others count."""
    log_groups = LogGroups(tuple(patterns.split()))

    assert wanted.split() == [name for name in (wanted + " " + others).split() if log_groups.has(name)]


@pytest.mark.parametrize("patterns", [("/vpc/*",), ("!/vpc/*",), ("!*",)])
def test_lines_without_a_log_group_count(patterns: tuple[str, ...]) -> None:
    """As those of a file: nothing says that they belong to another log group."""
    assert LogGroups(patterns).has("")


def test_memory_for_log_groups_is_bounded() -> None:
    """A sender may name any number of them."""
    log_groups = LogGroups(("a",), max_names=10)

    for number in range(30):
        log_groups.has(str(number))

    assert len(log_groups._known) <= 10


OTHER = envelope(GOOD, "bad", NODATA, "6 TransitGateway", 5, logGroup="/dns/queries")


def test_events_of_other_log_groups_are_ignored_and_leave_nothing() -> None:
    """Neither a reason nor a dead letter nor a fingerprint; the books balance."""
    delta, _ = counted(OTHER, OTHER, envelope(GOOD), window=Window(), log_groups=("flow-*",))

    assert {"ignored": 10, "counted": 1} == labelled(delta, counts.EVENTS)
    assert {"data": 3} == labelled(delta, counts.PAYLOADS)
    assert ([], 1) == (delta.dead_letters, len(delta.fingerprints))
    assert [] == imbalances_of(delta, events_in=11, payloads_in=3)


def test_events_without_an_envelope_are_ignored_as_well() -> None:
    """Dead letters of a replay name their log group."""
    counter: PayloadCounter = counter_for(log_groups=("flow-*",))
    delta = Delta()

    counter.count_events(LogStream("1", "/dns/queries", "x"), [b"5"], ORIGIN, NOW, delta)

    assert {"ignored": 1} == labelled(delta, counts.EVENTS)
