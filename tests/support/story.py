"""The story of the demo: its world without an AWS, and what promtool thinks of its alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kcl_flowlog.demo.story import LENGTH, QUIET, STORY, Act, Provoked
from kcl_flowlog.demo.world import Interface, Subnet, World
from tests.support.stretched import HISTORY, Samples, fired, input_series, try_rules

_ACCOUNT = "123456789012"
_SUBNETS = tuple(
    Subnet(f"subnet-{vpc}-{name}", f"{vpc}-{name}", f"vpc-{vpc}", f"euw1-az{zone}", f"10.0.{16 * number}.0/20", "", vpc)
    for vpc in ("shop", "lab")
    for number, (name, zone) in enumerate((("public-a", 1), ("private-a", 1), ("private-b", 2)), start=1)
)
WORLD = World(
    stream="flow-logs",
    account_id=_ACCOUNT,
    subnets=_SUBNETS,
    interfaces=tuple(
        Interface(
            f"eni-{subnet.name}-{number}", _ACCOUNT, subnet, (f"{subnet.cidr[:-5]}.{10 + number}",), (), number == 3
        )
        for subnet in _SUBNETS
        for number in range(4)
    ),
    nat_gateways=(Interface("eni-nat", _ACCOUNT, _SUBNETS[0], ("10.0.16.250",)),),
)
"""The network that the demo makes, without IPv6."""


def wrong_alerts(scrapes: Sequence[Samples], began_at: float, world: World, folder: Path) -> str:
    """Return what promtool says about the alerts of the story; nothing, if each fires in time, and no other does."""
    ids = {subnet.name: subnet.id for subnet in world.subnets}
    expectations = [*_before_each_act(ids), *_in_time(ids)]
    tested = try_rules(folder, input_series(scrapes, began_at, QUIET.end), expectations)
    return "" if tested.returncode == 0 else "\n".join(_differences(tested.stderr)) or tested.stderr


def _differences(said: str) -> Iterator[str]:
    """Yield what promtool expected and did not find, and what it found besides, by moment."""
    for moment, expected, found in re.findall(r" time: (\S+),\s*exp: (.*)\s*got: (.*)", said):
        wanted, got = (set(re.findall(r"{(.*?)}", text)) for text in (expected, found))
        yield f"{moment}: missing {sorted(wanted - got)}, not expected {sorted(got - wanted)}"


def _labels(act: Act, provoked: Provoked, ids: dict[str, str]) -> dict[str, str]:
    return {"alertname": provoked.alert, "severity": provoked.severity, "subnet_id": ids[act.subnet]}


def _before_each_act(ids: dict[str, str]) -> list[dict[str, Any]]:
    """Return the expectations that by each act's beginning the acts before it have provoked theirs, and no more."""
    moments = [*(act.start for act in STORY), LENGTH]
    return [
        fired(
            moment,
            HISTORY + moment,
            [_labels(act, provoked, ids) for act in STORY if act.start < moment for provoked in act.alerts],
        )
        for moment in moments
    ]


def _in_time(ids: dict[str, str]) -> list[dict[str, Any]]:
    """Return the expectations that each alert fires within its time."""
    return [
        fired(
            act.start + provoked.within,
            provoked.within,
            [labels],
            "".join(f',{name}="{value}"' for name, value in labels.items()),
        )
        for act in STORY
        for provoked in act.alerts
        for labels in [_labels(act, provoked, ids)]
    ]
