"""Files as people have them: each is replayed as a user would, with the files of `data`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from kcl_flowlog import cli
from tests.support.paths import ROOT

DATA = ROOT / "tests" / "replay" / "data"

# A file, its log events by outcome, its bad data by reason, and the directions, flows and bytes by subnet.
CASES: dict[str, tuple[str, dict[str, int], dict[str, int], dict[str, list[tuple[str, int, int]]]]] = {
    "pods behind one interface that share a database": (
        "delegated-ipv6.log",
        {"unattributed": 2},
        {},
        {},
    ),
    "a header with underscores and the ends in another order": (
        "swapped-ends.log",
        {"counted": 1},
        {},
        {"subnet-apps": [("egress", 1, 90)]},
    ),
    "query logs of a resolver": (
        "query-log.json",
        {"malformed": 1},
        {"message_not_flow_log": 1},
        {},
    ),
}


def replayed(name: str) -> Any:
    """Return the report of a file."""
    inventory = str(DATA / "two-subnets.json")
    result = CliRunner().invoke(cli.cli, ["replay", "--output", "json", "--inventory", inventory, str(DATA / name)])
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", CASES)
def test_a_file_counts_as_it_should(name: str) -> None:
    """Nothing is guessed, swapped or taken for another kind of log."""
    file, events, malformed, subnets = CASES[name]

    report = replayed(file)

    assert events == {outcome: number for outcome, number in report["outcomes"].items() if number}
    assert malformed == report["malformed"]
    assert subnets == {
        subnet: [(series["direction"], series["flows"], series["bytes"]) for series in found]
        for subnet, found in report["subnets"].items()
    }
