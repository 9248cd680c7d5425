"""The command `kcl-flowlog inventory`; tests/test_cli.py runs it on an embedded EC2."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kcl_flowlog import cli
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.replay import current_inventory, saved_inventory
from tests.support.ec2 import HERE, FakeEc2


@pytest.fixture(autouse=True)
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """EC2 has two subnets, an interface and a flow log; leaves logging as it was."""
    reader = SourceReader(HERE, lambda: ("", FakeEc2(((1, 2),))))
    monkeypatch.setattr(current_inventory, "readers", lambda config, environ: [reader])
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.cli, ["inventory", *arguments], catch_exceptions=False)


def test_replay_reads_the_file(tmp_path: Path) -> None:
    """So a replay needs no credentials."""
    path = tmp_path / "inventory.json"

    written = run("--output", str(path))
    inventory = saved_inventory.load(path)

    assert "" == written.stdout
    assert (["subnet-1", "subnet-2"], ["eni-1"], ["fl-1"]) == (
        [subnet.subnet_id for subnet in inventory.subnets],
        [interface.interface_id for interface in inventory.interfaces],
        [flow_log.flow_log_id for flow_log in inventory.flow_logs],
    )


def test_it_may_go_to_standard_output() -> None:
    """For another program."""
    content = json.loads(run().stdout)

    assert ["subnet-1", "subnet-2"] == [subnet["subnet_id"] for subnet in content["subnets"]]


def test_a_file_that_can_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    """The system says why."""
    path = tmp_path / "missing" / "inventory.json"

    with pytest.raises(ConfigError) as refused:
        run("--output", str(path))

    assert f"--output: {path} can't be written: No such file or directory." == str(refused.value)
