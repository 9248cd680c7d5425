"""A small world and fakes of a few lines, for the tests of the demo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcl_flowlog.demo.tally import SeriesKey, Sums, Tally
from kcl_flowlog.demo.world import Interface, Subnet, World
from tests.support.waiting import eventually as eventually

PUBLIC_A = Subnet("subnet-1", "public-a", "vpc-1", "euw1-az1", "10.0.16.0/20", "2001:db8:1::/64", "/vpc/flow-logs")
PRIVATE_A = Subnet("subnet-2", "private-a", "vpc-1", "euw1-az1", "10.0.32.0/20", "", "/vpc/flow-logs")
PRIVATE_B = Subnet("subnet-3", "private-b", "vpc-1", "euw1-az2", "10.0.48.0/20", "2001:db8:3::/64", "/vpc/flow-logs")

WORLD = World(
    stream="flow-logs",
    account_id="123456789012",
    subnets=(PUBLIC_A, PRIVATE_A, PRIVATE_B),
    interfaces=(
        Interface("eni-11", "123456789012", PUBLIC_A, ("10.0.16.10",), ("2001:db8:1::a",)),
        Interface("eni-12", "123456789012", PUBLIC_A, ("10.0.16.11", "10.0.16.111"), ("2001:db8:1::b",)),
        Interface("eni-13", "123456789012", PUBLIC_A, ("10.0.16.12",), idle=True),
        Interface("eni-21", "123456789012", PRIVATE_A, ("10.0.32.10", "10.0.32.110")),
        Interface("eni-22", "123456789012", PRIVATE_A, ("10.0.32.11",)),
        Interface("eni-31", "123456789012", PRIVATE_B, ("10.0.48.10",), ("2001:db8:3::a",)),
    ),
)


def a_tally(
    flows: int = 3,
    subnet_id: str = "subnet-1",
    outcome: str = "counted",
    action: str = "accept",
    bytes_each: int = 1000,
) -> Tally:
    """Return the tally of some flows of a subnet in one payload."""
    tally = Tally()
    key = SeriesKey(subnet_id, "ingress", action, "tcp", "internet")
    tally.add_traffic(key, Sums(flows, flows * 10, flows * bytes_each))
    tally.events[outcome] += flows
    tally.payloads["data"] += 1
    return tally


def a_page(tally: Tally, shards: int = 2, lag: float = 0.5) -> str:
    """Return the text of a metrics page that shows `tally`."""
    lines = []
    for unit in Sums._fields:
        lines.append(f"# TYPE flowlog_{unit}_total counter")
        for key, sums in tally.traffic.items():
            labels = ",".join(f'{name}="{value}"' for name, value in key._asdict().items())
            lines.append(f"flowlog_{unit}_total{{{labels}}} {float(getattr(sums, unit))!r}")
    for name, counts in (("events", tally.events), ("payloads", tally.payloads)):
        lines.append(f"# TYPE flowlog_{name}_total counter")
        lines += [f'flowlog_{name}_total{{outcome="{outcome}"}} {number}' for outcome, number in counts.items()]
    lines.append("# TYPE flowlog_shard_lag_seconds gauge")
    lines += [f'flowlog_shard_lag_seconds{{shard_id="{number}"}} {lag + number}' for number in range(shards)]
    lines += ["# TYPE flowlog_shards_held gauge", f"flowlog_shards_held {shards}"]
    lines += ["# TYPE flowlog_daemon_up gauge", "flowlog_daemon_up 1"]
    return "\n".join(lines) + "\n"


class ScriptedClock:
    """A clock that only `sleep` moves; `at` schedules an action for a time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._actions: list[tuple[float, Callable[[], object]]] = []

    def __call__(self) -> float:
        return self.now

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Run `action` once the clock reaches `seconds`."""
        self._actions.append((seconds, action))

    def sleep(self, seconds: float) -> None:
        """Move the clock and run the actions that are due."""
        self.now += seconds
        due = [action for moment, action in self._actions if moment <= self.now]
        self._actions = [(moment, action) for moment, action in self._actions if moment > self.now]
        for action in due:
            action()


def build_stream_only(client: Callable[[str], Any], region: str) -> World:
    """Make the stream of `WORLD` and nothing else."""
    client("kinesis").create_stream(StreamName=WORLD.stream, ShardCount=2)
    return WORLD
