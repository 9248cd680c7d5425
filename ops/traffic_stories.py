"""The stories of alerts that compare with the days before.

A sample is five minutes. The stories end two hours into the second day, apart from two.
"""

from __future__ import annotations

from ops.stories import CRITICAL, INFO, WARNING, Fired, Series, Story, after, growing, named

SAMPLE = 300
DAY = 24 * 3600 // SAMPLE

_FLEET = {named("flowlog_events_total", outcome="counted"): growing(1000)}


def _rejects(subnet: str, direction: str = "ingress", peer: str = "internet") -> str:
    return named(
        "flowlog_flows_total", subnet_id=subnet, direction=direction, action="reject", protocol="tcp", peer=peer
    )


def _bytes(subnet: str, peer: str, direction: str = "egress", interface_type: str = "interface") -> str:
    labels = {"action": "accept", "protocol": "tcp", "peer": peer, "interface_type": interface_type}
    return named("flowlog_bytes_total", subnet_id=subnet, direction=direction, **labels)


def _port(subnet: str, port: str) -> str:
    return named("flowlog_rejected_port_flows_total", subnet_id=subnet, direction="ingress", protocol="tcp", port=port)


def yesterday_and_now(usual: float, now: float) -> str:
    """Return a counter that grows by `usual` a second for a day, and by `now` a second since then."""
    total = usual * SAMPLE * DAY
    return f"0+{usual * SAMPLE:.15g}x{DAY} {total + now * SAMPLE:.15g}+{now * SAMPLE:.15g}x*"


def _story(alert: str, text: str, series: Series, fires: tuple[Fired, ...] = ()) -> Story:
    return Story(alert, text, {**_FLEET, **series}, fires, "26h")


def _of(subnet: str, direction: str, *levels: Fired) -> tuple[Fired, ...]:
    return tuple({**level, "subnet_id": subnet, "direction": direction} for level in levels)


def _inside(subnet: str, *levels: Fired) -> tuple[Fired, ...]:
    return tuple({**level, "subnet_id": subnet} for level in levels)


def _rejected(text: str, subnet: str, values: str, *levels: Fired) -> Story:
    return _story("FlowlogRejectedFlows", text, {_rejects(subnet): values}, _of(subnet, "ingress", *levels))


def _rejected_inside(text: str, subnet: str, end: tuple[str, str], values: str, *levels: Fired) -> Story:
    return _story("FlowlogRejectedFromInside", text, {_rejects(subnet, *end): values}, _inside(subnet, *levels))


def _bytes_stories(alert: str, word: str, labels: dict[str, str], floor: float) -> list[Story]:
    def story(text: str, subnet: str, values: str, *levels: Fired) -> Story:
        return _story(alert, text, {_bytes(subnet, **labels): values}, _inside(subnet, *levels))

    return [
        story("six times the usual", f"{word}-more", yesterday_and_now(floor, 6 * floor), WARNING),
        story("for the first time, above the floor", f"{word}-new", after(DAY, growing(1.1 * floor * SAMPLE)), WARNING),
        story("four times the usual", f"{word}-less", yesterday_and_now(floor, 4 * floor)),
        story("below the floor", f"{word}-low", yesterday_and_now(1, 0.9 * floor)),
    ]


def _distinct_stories(alert: str, kind: str, floor: float) -> list[Story]:
    def story(text: str, subnet: str, numbers: dict[str, str], *levels: Fired) -> Story:
        gauge = f"flowlog_rejected_distinct_{kind}"
        series = {named(gauge, instance, subnet_id=subnet): each for instance, each in numbers.items()}
        return _story(alert, text, series, _inside(subnet, *levels))

    def since_yesterday(usual: float, now: float) -> str:
        return f"{usual:.15g}x{DAY} {now:.15g}x*"

    half = 0.9 * floor
    return [
        story("six times the usual", f"{kind}-more", {"a": since_yesterday(floor, 6 * floor)}, WARNING),
        story("four times the usual", f"{kind}-less", {"a": since_yesterday(floor, 4 * floor)}),
        story("for the first time", f"{kind}-new", {"a": f"_x{DAY} {floor + 1:.15g}x*"}, WARNING),
        story("below the floor", f"{kind}-low", {"a": since_yesterday(1, floor)}),
        story("two instances that may see the same", f"{kind}-two", dict.fromkeys("ab", since_yesterday(1, half))),
    ]


DAY_STORIES = (
    _rejected("usual and high", "usual", yesterday_and_now(30, 30)),
    _rejected("less than three times the usual", "twice", yesterday_and_now(1, 2.9)),
    _rejected("four times the usual", "info", yesterday_and_now(1, 4), INFO),
    _rejected("six times the usual", "warning", yesterday_and_now(1, 6), INFO, WARNING),
    _rejected("far above the usual", "critical", yesterday_and_now(1, 25), INFO, WARNING, CRITICAL),
    _rejected("a hundred times the usual, but below the floor", "floor", yesterday_and_now(0.0009, 0.09)),
    _rejected("the first rejects ever", "first", after(DAY, growing(2 * SAMPLE)), INFO, WARNING),
    _rejected("a burst that is over", "over", f"0+3x{DAY} 90000x*"),
    _rejected_inside("sent by the subnet", "in-egress", ("egress", "internet"), yesterday_and_now(0.01, 0.09), INFO),
    _rejected_inside("from a private address", "in-private", ("ingress", "private"), yesterday_and_now(0, 0.09), INFO),
    _rejected_inside("from the next zone", "in-zone", ("ingress", "cross_zone"), yesterday_and_now(0, 0.09), INFO),
    _rejected_inside("from the internet", "in-not", ("ingress", "internet"), yesterday_and_now(0, 0.09)),
    _rejected_inside("as usual", "in-usual", ("egress", "internet"), yesterday_and_now(0.05, 0.09)),
    _story(
        "FlowlogRejectedFromInside",
        "much more",
        {_rejects("in-more", "egress"): yesterday_and_now(0.1, 6)},
        (
            *_inside("in-more", INFO, WARNING, CRITICAL),
            *({**fired, "alertname": "FlowlogRejectedFlows"} for fired in _of("in-more", "egress", INFO, WARNING)),
        ),
    ),
    _story(
        "FlowlogPortNewlyRejected",
        "three flows to port 22, for the first time",
        {_port("port-new", "22"): after(DAY + 22, "4x*")},
        ({**INFO, "subnet_id": "port-new", "direction": "ingress", "port": "22"},),
    ),
    _story(
        "FlowlogPortNewlyRejected",
        "a hundred flows to port 22, for the first time",
        {_port("port-many", "22"): after(DAY + 22, "150x*")},
        tuple({**level, "subnet_id": "port-many", "direction": "ingress", "port": "22"} for level in (INFO, WARNING)),
    ),
    _story(
        "FlowlogPortNewlyRejected",
        "port 22 was rejected half a day ago, too",
        {_port("port-again", "22"): f"0x{DAY // 2} 3x{DAY // 2 + 20} 6x*"},
    ),
    _story("FlowlogPortNewlyRejected", "one flow", {_port("port-once", "22"): after(DAY + 22, "1x*")}),
    _story(
        "FlowlogPortNewlyRejected",
        "ports that nobody watches",
        {_port("port-other", "other"): after(DAY + 22, "150x*")},
    ),
    *_distinct_stories("FlowlogPortScan", "ports", 100),
    *_distinct_stories("FlowlogManySources", "sources", 1000),
    *_bytes_stories("FlowlogInternetBytes", "internet", {"peer": "internet"}, 1e6),
    *_bytes_stories("FlowlogCrossZoneBytes", "zone", {"peer": "cross_zone"}, 5e6),
    *_bytes_stories("FlowlogCrossRegionBytes", "region", {"peer": "cross_region"}, 1e6),
    *_bytes_stories(
        "FlowlogNatGatewayBytes",
        "nat",
        {"peer": "same_zone", "direction": "ingress", "interface_type": "nat_gateway"},
        1e6,
    ),
)

_FIRST_DAY = {
    _rejects("new", "egress"): growing(30 * SAMPLE),
    _port("new", "22"): growing(30),
    _bytes("new", "internet"): growing(1e8 * SAMPLE),
    named("flowlog_rejected_distinct_ports", subnet_id="new"): "60000x*",
    **_FLEET,
}
# Whatever a fleet without a past counts, nothing can be called unusual.


def _days_and_nights(night: float, day: float) -> str:
    """Return a counter that grows fast by day and slowly at night, for two days."""
    values, total = ["0"], 0.0
    for _ in range(2):
        for step in (day, night, (night + day) / 2):
            values.append(f"{total + step:.15g}+{step:.15g}x{DAY // 3 - 1}")
            total += step * (DAY // 3)
    return " ".join(values)


_ALL_IS_WELL = {
    _rejects("office"): _days_and_nights(100, 3000),
    _rejects("office", "egress", "same_zone"): _days_and_nights(10, 300),
    _port("office", "22"): _days_and_nights(1, 5),
    named("flowlog_rejected_distinct_sources", subnet_id="office"): "90000x*",
    **{_bytes("office", peer): _days_and_nights(1e6, 1e10) for peer in ("internet", "cross_zone", "cross_region")},
    _bytes("office", "same_zone", "ingress", "nat_gateway"): _days_and_nights(1e6, 1e10),
    **{
        named("flowlog_events_total", instance, outcome=outcome): _days_and_nights(*sizes)
        for instance in ("a", "b")
        for outcome, sizes in {
            "counted": (1e4, 1e6),
            "nodata": (1e4, 1e3),
            "malformed": (1, 10),
            "unattributed": (1, 10),
            "skipdata": (0, 0),
        }.items()
    },
    **{
        named("flowlog_payloads_total", outcome=outcome): growing(step)
        for outcome, step in (("data", 1000), ("partial", 1))
    },
    **{
        named("flowlog_checkpoints_total", outcome=outcome): growing(step)
        for outcome, step in (("ok", 30), ("lost", 1))
    },
    **{named("flowlog_shard_lag_seconds", instance, shard_id=instance): "5x*" for instance in ("a", "b")},
    **{
        named("flowlog_shard_last_callback_timestamp_seconds", instance, shard_id=instance): growing(SAMPLE)
        for instance in ("a", "b")
    },
    named("flowlog_stream_open_shards"): "2x*",
    named("flowlog_shards_held"): "1x*",
    named("flowlog_shards_held", "b"): "1x*",
    named("flowlog_daemon_up"): "1x*",
    named("flowlog_inventory_source_last_success_timestamp_seconds", account_id="1", region="r"): growing(SAMPLE),
    named("flowlog_subnets_without_flow_logs"): "0x*",
    named("process_start_time_seconds"): "5x*",
}
# Days are thirty times as busy as nights.


DAYS = (
    *DAY_STORIES,
    Story("FlowlogRejectedFlows", "a fleet without a past", _FIRST_DAY, at="23h", ever=True),
    Story("FlowlogRejectedFlows", "34 hours in which all is well", _ALL_IS_WELL, at="34h", ever=True),
)
"""All stories with samples of five minutes."""
