"""The result of a replay in each format."""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec

from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.subnet_bounds import DEFAULT_BOUNDS, SubnetBounds
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.replay.files import Files
from kcl_flowlog.replay.inputs import read_items
from kcl_flowlog.replay.report import FORMS, to_json, to_metrics, to_table
from tests.support.builders import GOOD, INVENTORY, envelope, line
from tests.support.replay import LINES, item_counter


def counted(*texts: str) -> tuple[Delta, Files]:
    """Return the counts of files `file 1`, `file 2` …"""
    counter = item_counter()
    for number, text in enumerate(texts, 1):
        for item in read_items(io.BytesIO(text.encode()), "a file"):
            counter.count(item, f"file {number}")
    counter.finish()
    return counter.delta, counter.files


def delta_of(text: str) -> Delta:
    return counted(text)[0]


def named(inventory: Inventory, name: str) -> Inventory:
    subnets = tuple(msgspec.structs.replace(subnet, name=name) for subnet in inventory.subnets)
    return msgspec.structs.replace(inventory, subnets=subnets)


def test_json_has_every_outcome_and_the_series_of_each_subnet() -> None:
    """Reasons only as far as they occurred."""
    report: dict[str, Any] = json.loads(to_json(*counted(LINES)))

    assert {
        "counted": 2,
        "nodata": 1,
        "skipdata": 1,
        "malformed": 1,
        "unsupported": 0,
        "unattributed": 0,
        "duplicate": 0,
        "ignored": 0,
    }.items() <= report["outcomes"].items()
    assert {"field_count": 1} == report["malformed"]
    assert {0} == set(report["payloads"].values())
    assert {
        "file 1": {
            "outcomes": {"counted": 2, "nodata": 1, "skipdata": 1, "malformed": 1},
            "malformed": {"field_count": 1},
            "payloads": {},
        }
    } == report["files"]
    assert ["subnet-a"] == list(report["subnets"])
    assert {
        "direction": "egress",
        "action": "accept",
        "protocol": "tcp",
        "peer": "internet",
        "path": "unknown",
        "interface_type": "unknown",
        "flows": 1,
        "packets": 10,
        "bytes": 1000,
    } == report["subnets"]["subnet-a"][0]


def test_the_table_leaves_out_what_is_0() -> None:
    """Numbers are aligned to the right, words to the left."""
    assert (
        "subnet    name   direction  action  flows  packets  bytes\n"
        "subnet-a  web a  egress     accept      1       10  1,000\n"
        "subnet-a  web a  ingress    reject      1        1     40\n"
        "\n"
        "log events  number\n"
        "counted          2\n"
        "nodata           1\n"
        "skipdata         1\n"
        "malformed        1\n"
        "\n"
        "malformed    number\n"
        "field_count       1\n"
        "\n"
        "file    counted  nodata  skipdata  malformed\n"
        "file 1        2       1         1          1"
    ) == to_table(*counted(LINES), named(INVENTORY, "web a"))


def test_the_table_of_files_has_a_column_for_each_outcome() -> None:
    """Also for payloads, if there are any."""
    payload = envelope(GOOD, "bad")
    counter = item_counter()
    for name, content in (("lines.log", GOOD.encode()), ("payload", payload), ("junk", bytes(99)), ("empty", b"")):
        _ = counter.files[name]
        for item in read_items(io.BytesIO(content), name):
            counter.count(item, name)
    counter.finish()

    assert [
        "file       counted  malformed  payloads  bad payloads",
        "lines.log        1          0         0             0",
        "payload          1          1         1             0",
        "junk             0          0         1             1",
        "empty            0          0         0             0",
    ] == to_table(counter.delta, counter.files, INVENTORY).splitlines()[-5:]


def test_the_table_sums_protocols_and_peers() -> None:
    """A row for each direction and action of a subnet."""
    lines = [
        line("10.0.1.10", "198.51.100.7", protocol=protocol, packets=packets, bytes=size)
        for protocol, packets, size in ((6, 1, 100), (17, 2, 200))
    ]

    rows = to_table(*counted("\n".join(lines)), Inventory()).splitlines()

    assert ["subnet-a", "egress", "accept", "2", "3", "300"] == rows[1].split()
    assert "" == rows[2]


def test_a_table_of_nothing_says_so() -> None:
    """An empty file is no error."""
    assert "No flow record was counted for a subnet." == to_table(Delta(), {}, INVENTORY)


def test_metrics_are_the_series_of_run() -> None:
    """With its labels and its limit of subnets, and without metrics of an instance."""
    page = to_metrics(delta_of(LINES), INVENTORY, ("protocol",), DEFAULT_BOUNDS).splitlines()

    assert 'flowlog_flows_total{action="accept",direction="egress",protocol="tcp",subnet_id="subnet-a"} 1.0' in page
    assert (
        'flowlog_rejected_port_flows_total{direction="ingress",port="22",protocol="tcp",subnet_id="subnet-a"} 1.0'
        in page
    )
    assert 'flowlog_events_total{outcome="malformed"} 1.0' in page
    assert [] == [row for row in page if "daemon" in row or "shard" in row or "inventory" in row]


def test_metrics_have_at_most_so_many_subnets() -> None:
    """The others are `other`."""
    both = delta_of("\n".join([LINES, line("10.0.2.10", "198.51.100.7", "eni-b")]))

    page = to_metrics(both, INVENTORY, (), SubnetBounds(1, 0))

    assert "flowlog_folded_subnets 1.0" in page
    assert 'subnet_id="other"' in page


def test_each_format_has_its_function() -> None:
    """`--output` chooses among them."""
    delta, files = counted(LINES)

    assert {
        "table": to_table(delta, files, INVENTORY),
        "json": to_json(delta, files),
        "metrics": to_metrics(delta, INVENTORY, (), DEFAULT_BOUNDS),
    } == {name: form(delta, files, INVENTORY, (), DEFAULT_BOUNDS) for name, form in FORMS.items()}
