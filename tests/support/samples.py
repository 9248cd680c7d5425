"""The samples of the README: real output of the product for the files of tests/replay/data/sample."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from click.testing import CliRunner

from kcl_flowlog import cli
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.processor.denials import denial_line
from kcl_flowlog.replay import saved_inventory
from tests.support.builders import ORIGIN
from tests.support.paths import ROOT

_DATA = ROOT / "tests" / "replay" / "data" / "sample"
# When the sample's lines were counted, in Unix seconds.
_NOW = 1764000104.412


def metrics_sample() -> str:
    """Return the command and some metrics of a subnet, as a block of Markdown."""
    shown = [line for line in _replay("metrics") if re.search("(bytes|port|info).*subnet-0b1", line)]
    command = "kcl-flowlog replay --inventory inventory.json --output metrics flows.log"
    return _block(f"$ {command} | grep -E '(bytes|port|info).*subnet-0b1'", *shown)


def table_sample() -> str:
    """Return the command and the table of a replay, as a block of Markdown."""
    return _block("$ kcl-flowlog replay --inventory inventory.json flows.log", *_replay("table"))


def denial_sample() -> str:
    """Return a rejected flow as `--log-deny` writes it, as a block of Markdown."""
    denials: list[Denial] = []
    inventory = Attributor(Index(saved_inventory.load(_DATA / "inventory.json")))
    counter = PayloadCounter(Formats(), inventory, frozenset(), 1000, denials.append)
    log_stream = LogStream("123456789012", "/vpc/flow-logs", "eni-0a4c2e6f8b1d35790-all")
    events = [LogEvent(line) for line in (_DATA / "flows.log").read_text().splitlines()]
    counter.count_events(log_stream, events, ORIGIN, _NOW, Delta())
    return _block(bytes(denial_line(denials[0], _NOW)).decode(), language="json")


def policy_sample() -> str:
    """Return the command and the policy that it prints, as a block of Markdown."""
    arguments = "--stream flow-logs --region eu-central-1 --account 123456789012"
    printed = CliRunner().invoke(cli.cli, ["policy", *arguments.split()], catch_exceptions=False).stdout
    return _block(f"$ kcl-flowlog policy {arguments}", *printed.splitlines())


def _replay(output: str) -> list[str]:
    root = logging.getLogger()
    handlers, level, directory = root.handlers[:], root.level, Path.cwd()
    os.chdir(_DATA)
    try:
        arguments = ["replay", "--inventory", "inventory.json", "--output", output, "flows.log"]
        return CliRunner().invoke(cli.cli, arguments, catch_exceptions=False).stdout.splitlines()
    finally:
        os.chdir(directory)
        root.handlers[:], root.level = handlers, level


def _block(*lines: str, language: str = "") -> str:
    return "\n".join([f"```{language}", *lines, "```"])
