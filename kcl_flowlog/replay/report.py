"""The result of a replay as a table by subnet, as JSON, or as a metrics page. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.counting import counts, outcomes
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.subnet_bounds import SubnetBounds
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.exporter.collector import FlowlogCollector, metrics_registry
from kcl_flowlog.exporter.exposition import TEXT, renderer
from kcl_flowlog.exporter.state import InstanceState
from kcl_flowlog.replay.files import FileCounts
from kcl_flowlog.text_table import format_table

_SUBNETS = ("subnet", "name", "direction", "action", "flows", "packets", "bytes")
_HEADINGS = ("log events", "payloads", "malformed")
_LEFT_ALIGNED = frozenset((*_SUBNETS[:4], *_HEADINGS))

# The series that make sense for a replay.
_SERIES = (
    "flowlog_flows_total",
    "flowlog_packets_total",
    "flowlog_bytes_total",
    "flowlog_rejected_port_flows_total",
    "flowlog_folded_subnets",
    "flowlog_subnet_info",
    "flowlog_events_total",
    "flowlog_payloads_total",
    "flowlog_malformed_total",
)


class Series(msgspec.Struct):
    """The traffic of one series of a subnet."""

    direction: str
    action: str
    protocol: str
    peer: str
    path: str
    interface_type: str
    flows: int
    packets: int
    bytes: int


class FileReport(msgspec.Struct):
    """The log events, the bad data and the payloads of a file, without what is 0."""

    outcomes: dict[str, int]
    malformed: dict[str, int]
    payloads: dict[str, int]


class Report(msgspec.Struct):
    """What was counted: log events and payloads by outcome, bad data by reason, traffic by subnet, and each file."""

    outcomes: dict[str, int]
    malformed: dict[str, int]
    payloads: dict[str, int]
    subnets: dict[str, list[Series]]
    files: dict[str, FileReport]


def make_report(delta: Delta, files: Mapping[str, FileCounts]) -> Report:
    """Return the report of a delta and of the files that it counts."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for (count, label), number in delta.counts.items():
        found[count][label] += number
    subnets: dict[str, list[Series]] = {}
    for series, cell in sorted(delta.traffic.items()):
        subnets.setdefault(series.subnet_id, []).append(Series(*series[1:], *cell))
    return Report(
        {outcome: found[counts.EVENTS][outcome] for outcome in outcomes.EVENT_OUTCOMES},
        dict(sorted(found[counts.MALFORMED].items())),
        {outcome: found[counts.PAYLOADS][outcome] for outcome in outcomes.PAYLOAD_OUTCOMES},
        subnets,
        {
            name: FileReport(*({word: n for word, n in sorted(part.items()) if n} for part in of_file.parts))
            for name, of_file in files.items()
        },
    )


def to_json(delta: Delta, files: Mapping[str, FileCounts]) -> str:
    """Return the report as JSON."""
    return msgspec.json.format(escape_unprintable(msgspec.json.encode(make_report(delta, files)).decode()), indent=2)


def to_table(delta: Delta, files: Mapping[str, FileCounts], inventory: Inventory) -> str:
    """Return the report as tables, without what is 0."""
    names = {subnet.subnet_id: subnet.name for subnet in inventory.subnets}
    found = make_report(delta, files)
    rows = []
    for subnet_id, subnet_series in found.subnets.items():
        sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        for series in subnet_series:
            cell = sums[series.direction, series.action]
            for index, number in enumerate((series.flows, series.packets, series.bytes)):
                cell[index] += number
        rows += [
            [subnet_id, names.get(subnet_id, ""), *key, *(f"{number:,}" for number in cell)]
            for key, cell in sums.items()
        ]
    blocks = [format_table(_SUBNETS, rows, _LEFT_ALIGNED)] if rows else [["No flow record was counted for a subnet."]]
    for heading, numbers in zip(_HEADINGS, (found.outcomes, found.payloads, found.malformed), strict=True):
        lines = [[word, f"{number:,}"] for word, number in numbers.items() if number]
        if lines:
            blocks.append(format_table((heading, "number"), lines, _LEFT_ALIGNED))
    blocks += _table_of_files(found)
    return "\n\n".join("\n".join(block) for block in blocks)


def _table_of_files(report: Report) -> list[list[str]]:
    """Return the table of files, if there are any, with a column for each outcome that any of them has."""
    words = [word for word, number in report.outcomes.items() if number]
    columns: list[tuple[str, str, tuple[str, ...]]] = [(word, "outcomes", (word,)) for word in words]
    if any(of_file.payloads for of_file in report.files.values()):
        bad = (outcomes.MALFORMED, outcomes.PARTIAL)
        columns += [("payloads", "payloads", tuple(outcomes.PAYLOAD_OUTCOMES)), ("bad payloads", "payloads", bad)]
    rows = [
        [name, *(f"{sum(getattr(of_file, part).get(word, 0) for word in some):,}" for _, part, some in columns)]
        for name, of_file in report.files.items()
    ]
    return [format_table(("file", *(heading for heading, _, _ in columns)), rows, ("file",))] if rows else []


def to_metrics(delta: Delta, inventory: Inventory, traffic_labels: tuple[str, ...], bounds: SubnetBounds) -> str:
    """Return the report as a metrics page in Prometheus' text format, with the series of `run`."""
    state = InstanceState(totals=_totals(delta, bounds), inventory=inventory)
    collector = FlowlogCollector(lambda: state, traffic_labels)
    _, page = renderer(metrics_registry(collector))(TEXT, {"name[]": _SERIES})
    return b"".join(page).decode().rstrip("\n")


def _totals(delta: Delta, bounds: SubnetBounds) -> Totals:
    """Return what `run` would have in its ledger if it had counted only this."""
    with Ledger(Path(":memory:"), bounds=bounds) as ledger:
        claim = ledger.claim("replay", ledger.begin_generation())
        ledger.prepare(claim, Position("0"), delta.snapshot())
        ledger.fold(claim)
        return ledger.totals()


Form = Callable[[Delta, Mapping[str, FileCounts], Inventory, tuple[str, ...], SubnetBounds], str]

FORMS: Mapping[str, Form] = {
    "table": lambda delta, files, inventory, traffic_labels, bounds: to_table(delta, files, inventory),
    "json": lambda delta, files, inventory, traffic_labels, bounds: to_json(delta, files),
    "metrics": lambda delta, files, inventory, traffic_labels, bounds: to_metrics(
        delta, inventory, traffic_labels, bounds
    ),
}
"""The values of `--output`, each a function of delta, files, inventory, traffic labels and the bounds of subnets."""
