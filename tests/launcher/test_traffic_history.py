"""The traffic of the last hour, minute by minute."""

from __future__ import annotations

from kcl_flowlog.commits.totals import TrafficTotal
from kcl_flowlog.counting.delta import Traffic
from kcl_flowlog.launcher.traffic_history import TrafficHistory
from kcl_flowlog.web.overview import HOUR, Minutes


def total(
    subnet_id: str, size: int, direction: str = "ingress", action: str = "accept", flows: int = 1
) -> TrafficTotal:
    return TrafficTotal(Traffic(subnet_id, direction, action, "tcp", "internet"), flows, 0, size, 1)


def lists(minutes: Minutes) -> list[list[float]]:
    return [list(values) for values in minutes]


def test_the_first_totals_only_tell_where_the_next_begin() -> None:
    """What an earlier run has counted is not traffic of this minute."""
    history = TrafficHistory()

    history.add([total("subnet-a", 10**12)])

    assert (0, Minutes([], [], [], []), {}) == (
        history.read()[0],
        Minutes(*lists(history.read()[1])),
        history.read()[2],
    )


def test_a_minute_has_what_the_totals_have_grown_by() -> None:
    """Accepted bytes by direction over all series, and rejected flows; a rejected packet carries no traffic."""
    history = TrafficHistory()
    history.add([total("subnet-a", 100)])

    history.add(
        [
            total("subnet-a", 150),
            total("subnet-a", 7, "egress"),
            total("subnet-a", 8, "egress"),
            total("subnet-a", 9, "unknown"),
            total("subnet-a", 5000, "ingress", "reject", 3),
            total("subnet-b", 1),
        ]
    )

    minutes, of_all, of_each = history.read()
    assert 1 == minutes
    assert [[51], [15], [9], [3]] == lists(of_all)
    assert {"subnet-a": [[50], [15], [9], [3]], "subnet-b": [[1], [0], [0], [0]]} == {
        name: lists(each) for name, each in of_each.items()
    }


def test_a_subnet_that_begins_later_has_had_nothing_before() -> None:
    """So the minutes of all subnets lie below each other."""
    history = TrafficHistory()
    for totals in ([], [total("subnet-a", 5)], [total("subnet-a", 5), total("subnet-b", 6)]):
        history.add(totals)

    assert {"subnet-a": [5, 0], "subnet-b": [0, 6]} == {
        name: list(each.ingress) for name, each in history.read()[2].items()
    }


def test_series_that_were_dropped_are_no_traffic() -> None:
    history = TrafficHistory()
    for size in (5, 9, 3, 4):
        history.add([total("subnet-a", size)])

    assert [4, 0, 1] == list(history.read()[2]["subnet-a"].ingress)


def test_an_hour_is_kept_and_a_quiet_subnet_is_forgotten() -> None:
    """Its memory is bounded by the subnets with traffic in the hour."""
    history = TrafficHistory()
    history.add([])
    for minute in range(HOUR):
        history.add([total("subnet-a", 1), total("subnet-b", minute)])
    before = history.read()
    history.add([total("subnet-a", 1), total("subnet-b", HOUR)])
    after = history.read()

    assert ({"subnet-a", "subnet-b"}, HOUR) == (set(before[2]), before[0])
    assert ({"subnet-b"}, HOUR, HOUR) == (set(after[2]), after[0], len(after[1].ingress))


def test_what_was_read_does_not_change() -> None:
    """The page is made in another thread."""
    history = TrafficHistory()
    history.add([])
    history.add([total("subnet-a", 1)])
    seen = history.read()

    history.add([total("subnet-a", 9)])

    assert [1] == list(seen[2]["subnet-a"].ingress)
