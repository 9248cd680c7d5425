"""The command `kcl-flowlog replay`."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kcl_flowlog import cli
from kcl_flowlog.config import Config
from kcl_flowlog.counting import subnets
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.replay import command
from tests.support.builders import GOOD, INVENTORY, envelope, line
from tests.support.ec2 import HERE, SUBNETS, UNREACHABLE, FakeEc2
from tests.support.replay import LINES, item_counter

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs `replay` on a file of lines with a saved inventory."""
    inventory = tmp_path / "inventory.json"
    inventory.write_bytes(subnets.dump(INVENTORY))
    (tmp_path / "flows.log").write_text(LINES)

    def run(*arguments: str, **options: Any) -> Result:
        argv = ["replay", "--inventory", str(inventory), *arguments, str(tmp_path / "flows.log")]
        return CliRunner().invoke(cli.cli, argv, **options)

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield run
    root.handlers[:], root.level = handlers, level


def test_the_default_output_is_a_table(run: Run) -> None:
    """On stdout."""
    result = run()

    assert 0 == result.exit_code
    assert result.stdout.startswith("subnet    name  direction  action  flows  packets  bytes\nsubnet-a ")


def test_output_chooses_the_format(run: Run) -> None:
    """As JSON it is for another program."""
    assert 2 == json.loads(run("--output", "json").stdout)["outcomes"]["counted"]


def test_settings_of_run_apply(run: Run, tmp_path: Path) -> None:
    """The labels, the limit of subnets, the watched ports, the formats, duplicates and log groups of `run`."""
    (tmp_path / "more.log").write_text(line("10.0.2.10", "198.51.100.7", "eni-b") + "\n")
    metrics = ("--output", "metrics", "--traffic-labels", "", "--max-subnets", "1", "--watched-ports", "23")
    page = run(*metrics, str(tmp_path / "more.log")).stdout
    (tmp_path / "short.log").write_text("eni-a 10.0.1.10 8.8.8.8 50\n")
    short = "${interface-id} ${srcaddr} ${dstaddr} ${bytes}"
    formats = run("--output", "json", "--flow-log-format", short, str(tmp_path / "short.log")).stdout
    (tmp_path / "payload").write_bytes(envelope(GOOD))
    copies = run("--output", "json", "--no-deduplicate", *[str(tmp_path / "payload")] * 2).stdout

    groups = run("--output", "json", "--log-group", "*", "--log-group", "!flow-*", str(tmp_path / "payload")).stdout

    assert {"counted": 2, "ignored": 1}.items() <= json.loads(groups)["outcomes"].items()
    assert 'flowlog_flows_total{action="accept",direction="egress",subnet_id="subnet-b"} 1.0' in page
    assert 'flowlog_flows_total{action="accept",direction="egress",subnet_id="other"} 1.0' in page
    assert 'port="other"' in page
    assert 'port="22"' not in page
    assert 3 == json.loads(formats)["outcomes"]["counted"]
    assert 0 == json.loads(copies)["outcomes"]["duplicate"]


def test_a_dash_is_standard_input(run: Run) -> None:
    """Besides other files."""
    report = json.loads(run("--output", "json", "-", input=envelope(GOOD)).stdout)

    assert (3, 1) == (report["outcomes"]["counted"], report["payloads"]["data"])


def test_records_that_wait_for_their_interface_are_counted_at_the_end(run: Run, tmp_path: Path) -> None:
    """One record of an unlisted interface tells nothing, but is not forgotten."""
    unknown = tmp_path / "unknown.log"
    unknown.write_text(GOOD.replace("eni-a", "eni-badc0ffe") + "\n")

    outcomes = json.loads(run("--output", "json", str(unknown)).stdout)["outcomes"]

    assert 6 == sum(outcomes.values())


def test_progress_adds_up_to_the_size_of_a_file(tmp_path: Path) -> None:
    """On disk: the bar of a compressed file ends at its end, too."""
    path = tmp_path / "flows.log.gz"
    path.write_bytes(gzip.compress(LINES.encode() * 1000))
    steps: list[int] = []

    with path.open("rb") as file:
        command._count_file(file, "a file", item_counter(), steps.append)

    assert path.stat().st_size == sum(steps)


def test_an_invalid_inventory_is_a_config_error(tmp_path: Path) -> None:
    """The sentence names the file."""
    path = tmp_path / "inventory.json"
    path.write_text("[]")

    with pytest.raises(ConfigError, match=rf"^--inventory: {path} is not an inventory saved by `kcl-flowlog run`: "):
        CliRunner().invoke(cli.cli, ["replay", "--inventory", str(path), str(path)], catch_exceptions=False)


def test_without_a_saved_inventory_ec2_is_read() -> None:
    """Once, as it is now."""
    inventory = command._current_inventory([SourceReader(HERE, lambda: ("", FakeEc2(((1, 2),))))])

    assert ["subnet-1", "subnet-2"] == [subnet.subnet_id for subnet in inventory.subnets]


def test_an_unreachable_ec2_is_a_config_error() -> None:
    """The sentence names the way without EC2."""
    reader = SourceReader(HERE, lambda: ("", FakeEc2().fail(SUBNETS, UNREACHABLE)))

    with pytest.raises(ConfigError, match=r"^Cannot read the subnets from EC2; .* --inventory FILE\.$"):
        command._current_inventory([reader])


def test_ec2_is_read_in_the_region_of_the_settings() -> None:
    """Or of the environment."""
    readers = [
        command._source_readers(Config(stream="none", region=region), {"AWS_REGION": "us-west-2"})
        for region in ("", "eu-west-1")
    ]

    assert ["us-west-2", "eu-west-1"] == [reader.source.region for several in readers for reader in several]
