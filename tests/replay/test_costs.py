"""Traffic that costs differently is counted in different series."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kcl_flowlog.counting import subnets
from tests.support.costs import COSTS, HEADER, INVENTORY
from tests.support.replay import run_replay

OLD_FIELDS = 18


def replay(directory: Path, header: str, lines: list[str], labels: str) -> list[dict[str, str]]:
    """Return the labels and value of each series of flowlog_bytes_total."""
    (directory / "inventory.json").write_bytes(subnets.dump(INVENTORY))
    (directory / "flows.log").write_text("\n".join([header, *lines]) + "\n")
    options = ("--inventory", str(directory / "inventory.json"), "--output", "metrics", "--traffic-labels", labels)
    result = run_replay(*options, str(directory / "flows.log"))
    assert 0 == result.exit_code, result.output
    found = re.findall(r"^flowlog_bytes_total\{(.*)\} (\S+)$", result.stdout, re.MULTILINE)
    return [{**dict(re.findall(r'(\w+)="([^"]*)"', series)), "value": value} for series, value in found]


def test_seven_ways_are_seven_series(tmp_path: Path) -> None:
    """As docs/metrics.md says: by peer, path and type of interface, all in one subnet."""
    lines = [cost.line for cost in COSTS.values()]

    found = replay(tmp_path, HEADER, lines, "peer,path,interface_type")

    always = {"subnet_id": "subnet-0000000a", "action": "accept"}
    expected = [
        {**always, **{name: getattr(cost, name) for name in ("direction", "peer", "path", "interface_type")}}
        | {"value": f"{cost.octets}.0"}
        for cost in COSTS.values()
    ]
    assert 7 == len(found)
    assert sorted(map(sorted, map(dict.items, expected))) == sorted(map(sorted, map(dict.items, found)))


@pytest.mark.parametrize(
    ("labels", "names", "values"),
    [
        ("peer", ("direction", "peer"), {"aws_s3": 2003.0, "aws_dynamodb": 1003.0, "cross_region": 1004.0}),
        ("path", ("direction", "path"), {"vpc_endpoint": 2004.0, "internet_gateway": 3013.0}),
        ("interface_type", ("direction", "interface_type"), {"interface": 5015.0}),
    ],
)
def test_labels_that_are_not_named_are_summed(
    tmp_path: Path, labels: str, names: tuple[str, ...], values: dict[str, float]
) -> None:
    """Each byte is in exactly one series, whatever the labels."""
    found = replay(tmp_path, HEADER, [cost.line for cost in COSTS.values()], labels)

    assert {*names, "subnet_id", "action", "value"} == found[0].keys()
    assert sum(cost.octets for cost in COSTS.values()) == sum(float(series["value"]) for series in found)
    egress = {series[labels]: float(series["value"]) for series in found if series["direction"] == "egress"}
    assert values.items() <= egress.items()


def test_without_the_fields_the_internet_stays(tmp_path: Path) -> None:
    """A flow log can't be changed once it is there; then only the inventory tells."""
    fields = HEADER.split()[:OLD_FIELDS]
    lines = [" ".join(cost.line.split()[:OLD_FIELDS]) for cost in COSTS.values()]

    found = replay(tmp_path, " ".join(fields), lines, "peer,path")

    assert {("cross_region", "unknown"): 1004.0, ("internet", "unknown"): 5017.0, ("same_zone", "unknown"): 1007.0} == {
        (series["peer"], series["path"]): float(series["value"]) for series in found
    }
