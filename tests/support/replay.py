"""Files for a replay, and what a replay of them counts."""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pyarrow
from click.testing import CliRunner, Result
from pyarrow import parquet

from kcl_flowlog import cli
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.replay.counter import ItemCounter
from kcl_flowlog.replay.files import Files, Finding
from kcl_flowlog.replay.inputs import read_items
from kcl_flowlog.replay.report import Report, make_report
from tests.support.balance import imbalances
from tests.support.builders import GOOD, INVENTORY, NODATA, NOW, SKIPDATA, line

REJECTED = line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=22, packets=1, bytes=40)
LINES = "\n".join([GOOD, NODATA, "bad", REJECTED, SKIPDATA]) + "\n"


def item_counter(
    formats: tuple[str, ...] = (),
    inventory: Inventory = INVENTORY,
    deduplicate: bool = True,
    on_finding: Callable[[Finding], object] = lambda _: None,
) -> ItemCounter:
    """Return a counter with an inventory."""
    return ItemCounter(
        Attributor(Index(inventory, covers_unnamed=True)),
        formats,
        frozenset({"22"}),
        1_000_000,
        deduplicate,
        clock=lambda: NOW,
        files=Files(on_finding),
    )


def replay(*files: bytes, **options: Any) -> Report:
    """Return the report of a replay of files `file 1`, `file 2` …; `options` are those of `item_counter`."""
    counter = item_counter(**options)
    for number, content in enumerate(files, 1):
        for item in read_items(io.BytesIO(content), f"file {number}"):
            counter.count(item, f"file {number}")
    counter.finish()
    return make_report(counter.delta, counter.files)


def findings(*files: bytes, **options: Any) -> list[Finding]:
    """Return what a replay of some files finds that counts for no subnet."""
    found: list[Finding] = []
    replay(*files, on_finding=found.append, **options)
    return found


def run_replay(*arguments: str) -> Result:
    """Run the command; the logging of this process stays as it is."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        return CliRunner().invoke(cli.cli, ["replay", *arguments])
    finally:
        root.handlers[:], root.level = handlers, level


def nonzero(numbers: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers that are not 0."""
    return {word: number for word, number in numbers.items() if number}


def imbalances_in(report: Report, events_in: int | None = None) -> list[str]:
    """Return what does not add up in a report."""
    flows = sum(series.flows for subnet in report.subnets.values() for series in subnet)
    found = imbalances(report.outcomes, report.payloads, report.malformed, flows, events_in)
    for part in ("outcomes", "payloads", "malformed"):
        of_files: Counter[str] = Counter()
        for of_file in report.files.values():
            of_files.update(getattr(of_file, part))
        if of_files != nonzero(getattr(report, part)):
            found.append(f"{part} of the files {dict(of_files)}")
    return found


def dead_letter(
    kind: str, body: str, reason: str = "field_count", truncated: bool = False, log_group: str = ""
) -> DeadLetter:
    return DeadLetter("shardId-0", "1", 0, reason, kind, body, log_group=log_group, truncated=truncated)


def dead_letter_file(*letters: DeadLetter) -> bytes:
    return b"".join(msgspec.json.encode(letter) + b"\n" for letter in letters)


def parquet_file(*rows: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), file)
    return file.getvalue()
