"""Files counted again: whatever they hold and however they are packed, as a processor would count it."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from kcl_flowlog import cli
from kcl_flowlog.counting import counts, subnets
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import DeadLetter
from kcl_flowlog.counting.flow_record import DEFAULT_FORMAT
from kcl_flowlog.counting.subnets import FlowLog, Index, Inventory
from kcl_flowlog.replay import command, inputs
from kcl_flowlog.replay.books import Books
from kcl_flowlog.replay.report import Report, report, table
from tests.support.balance import imbalances
from tests.support.builders import GOOD, INVENTORY, NODATA, NOW, SKIPDATA, counted, envelope, labelled, line

REJECTED = line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=22, packets=1, bytes=40)
LINES = "\n".join([GOOD, NODATA, "bad", REJECTED, SKIPDATA]) + "\n"
HEADER = DEFAULT_FORMAT.replace("${", "").replace("}", "")
PLAIN = gzip.decompress(envelope(GOOD, "bad"))
TRANSIT = "6 TransitGateway 123456789010 tgw-1 tgw-attach-1 10.0.1.1 10.9.9.9 44 OK"


def books(formats: tuple[str, ...] = (), inventory: Inventory = INVENTORY, deduplicate: bool = True) -> Books:
    return Books(Attributor(Index(inventory)), formats, frozenset({"22"}), 1_000_000, deduplicate, lambda: NOW)


def replayed(*files: bytes, **options: Any) -> Report:
    """Return what some files hold."""
    made = books(**options)
    for content in files:
        for item in inputs.items(io.BytesIO(content), "a file"):
            made.take(item)
    made.finish()
    return report(made.delta)


def found(of: dict[str, int]) -> dict[str, int]:
    return {word: number for word, number in of.items() if number}


def flows(of: Report) -> int:
    return sum(series.flows for several in of.subnets.values() for series in several)


def letters(*several: DeadLetter) -> bytes:
    return b"".join(msgspec.json.encode(letter) + b"\n" for letter in several)


def letter(kind: str, body: str, reason: str = "field_count", truncated: bool = False, group: str = "") -> DeadLetter:
    return DeadLetter("shardId-0", "1", 0, reason, kind, body, log_group=group, truncated=truncated)


def columns(*rows: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), file)
    return file.getvalue()


ROW = {
    "version": 2,
    "account_id": "123456789010",
    "interface_id": "eni-a",
    "srcaddr": "10.0.1.10",
    "dstaddr": "198.51.100.7",
    "protocol": 6,
    "packets": 10,
    "bytes": None,
    "action": "ACCEPT",
    "log_status": "OK",
    "instance_tag": "two words",
}

# An envelope of 12 kB that compresses to next to nothing; ten megabytes hold fewer than a payload may.
WIDE = gzip.decompress(envelope(GOOD, logStream="eni-a-%d")).replace(b"to-kinesis", b"to-kinesis" * 1200)

# The claim, the file, its log events and its payloads by outcome.
FILES: dict[str, tuple[bytes, dict[str, int], dict[str, int]]] = {
    "nothing": (b"", {}, {}),
    "empty lines": (b"\n \n\n", {}, {}),
    "lines": (LINES.encode(), {"counted": 2, "nodata": 1, "skipdata": 1, "malformed": 1}, {}),
    "lines with CR LF": (
        LINES.replace("\n", "\r\n").encode(),
        {"counted": 2, "nodata": 1, "skipdata": 1, "malformed": 1},
        {},
    ),
    "a line without an end": (GOOD.encode(), {"counted": 1}, {}),
    "a header and lines": (
        f"{HEADER}\n{LINES}".encode(),
        {"counted": 2, "nodata": 1, "skipdata": 1, "malformed": 1},
        {},
    ),
    "a header of another order": (
        b"bytes dstaddr srcaddr interface-id packets\n7 8.8.8.8 10.0.1.10 eni-a 1\n",
        {"counted": 1},
        {},
    ),
    "files with headers, one after the other": (
        f"bytes dstaddr srcaddr interface-id\n7 8.8.8.8 10.0.1.10 eni-a\n{HEADER}\n{GOOD}\n".encode(),
        {"counted": 2},
        {},
    ),
    "a header with a field of the future": (
        f"{HEADER} colour\n{GOOD} blue\n".encode(),
        {"counted": 1},
        {},
    ),
    "a transit gateway's file": (
        b"version resource-type account-id tgw-id tgw-attachment-id srcaddr dstaddr bytes log-status\n"
        + TRANSIT.encode(),
        {"unsupported": 1},
        {},
    ),
    "lines with the time before, as exported": (f"2023-11-14T22:13:20.000Z {GOOD}\n".encode(), {"counted": 1}, {}),
    "gzip'd lines": (gzip.compress(LINES.encode()), {"counted": 2, "nodata": 1, "skipdata": 1, "malformed": 1}, {}),
    "several gzip members of lines": (gzip.compress(f"{GOOD}\n".encode()) * 3, {"counted": 3}, {}),
    "transformed events": (
        b'{"version":2,"interfaceId":"eni-a","srcAddr":"10.0.1.10","dstAddr":"8.8.8.8","protocol":6,"bytes":7}\n{"x":1}\n',
        {"counted": 1, "malformed": 1},
        {},
    ),
    "a payload as it came": (envelope(GOOD, "bad"), {"counted": 1, "malformed": 1}, {"data": 1}),
    "a payload's JSON": (PLAIN, {"counted": 1, "malformed": 1}, {"plain": 1}),
    "a payload's JSON, indented": (
        json.dumps(json.loads(PLAIN), indent=2).encode(),
        {"counted": 1, "malformed": 1},
        {"plain": 1},
    ),
    "a payload in base64": (base64.b64encode(envelope(GOOD)), {"counted": 1}, {"base64": 1}),
    "payloads in base64, a line each": (
        b"\n".join(base64.b64encode(envelope(GOOD, logStream=f"eni-a-{n}")) for n in range(3)),
        {"counted": 3},
        {"base64": 3},
    ),
    "a payload that came with something behind": (PLAIN + b" rest", {"counted": 1, "malformed": 1}, {"partial": 1}),
    "envelopes in one payload": (
        gzip.compress(PLAIN + gzip.decompress(envelope(NODATA))),
        {"counted": 1, "malformed": 1, "nodata": 1},
        {"data": 1},
    ),
    "envelopes, a line each": (
        PLAIN + b"\n" + gzip.decompress(envelope(NODATA)) + b"\n",
        {"counted": 1, "malformed": 1, "nodata": 1},
        {"plain": 2},
    ),
    "envelopes, a line each, gzip'd": (
        gzip.compress(PLAIN + b"\n" + gzip.decompress(envelope(NODATA)) + b"\n"),
        {"counted": 1, "malformed": 1, "nodata": 1},
        {"data": 2},
    ),
    "more envelopes than a payload may hold": (
        gzip.compress(b"".join(gzip.decompress(envelope(GOOD, logStream=f"eni-a-{n}")) for n in range(1100))),
        {"counted": 1100},
        {"data": 1100},
    ),
    "a payload's size in gzip, but far more envelopes than one": (
        gzip.compress(b"".join(WIDE % n for n in range(1100))),
        {"counted": 1100},
        {"data": 1100},
    ),
    "the same envelope again": (
        PLAIN + b"\n" + PLAIN,
        {"counted": 1, "malformed": 1, "duplicate": 2},
        {"plain": 1, "duplicate": 1},
    ),
    "gzip data cut short": (gzip.compress(LINES.encode() * 9)[:-9], {}, {"malformed": 1}),
    "bytes of anything": (bytes(range(256)), {}, {"malformed": 1}),
    "gzip in gzip": (gzip.compress(envelope(GOOD)), {}, {"malformed": 1}),
    "not UTF-8": (b"\xff\xfe caf\xe9\n", {"malformed": 1}, {}),
    "a line of megabytes": (b"x" * 3_000_000 + b"\n" + GOOD.encode(), {"counted": 1, "malformed": 1}, {}),
    "Parquet": (
        columns(ROW, {**ROW, "srcaddr": None, "dstaddr": None, "log_status": "NODATA"}),
        {"counted": 1, "nodata": 1},
        {},
    ),
    "gzip'd Parquet": (gzip.compress(columns(ROW)), {"counted": 1}, {}),
    "dead letters": (
        letters(letter("line", GOOD), letter("line", "bad"), letter("event", '{"message":7}'), letter("event", "{}")),
        {"counted": 1, "malformed": 3},
        {},
    ),
    "dead letters that hold payloads": (
        letters(
            letter("payload", base64.b64encode(envelope(GOOD)).decode(), "payload_damaged"),
            letter("payload", base64.b64encode(b"junk").decode(), "payload_encoding"),
        ),
        {"counted": 1},
        {"data": 1, "malformed": 1},
    ),
    "dead letters that are not whole": (
        letters(letter("line", "x", truncated=True), letter("payload", "", "payload_damaged", truncated=True)),
        {"malformed": 1},
        {"malformed": 1},
    ),
    "dead letters, the last cut off": (letters(letter("line", "bad")) * 2 + b'{"shard_id":"sh', {"malformed": 3}, {}),
    "a dead letter of no known kind": (
        letters(letter("line", "bad"), letter("novel", "bad"), letter("line", "bad", "novel", truncated=True)),
        {"malformed": 3},
        {},
    ),
}


@pytest.mark.parametrize("claim", FILES)
def test_a_file_is_told_by_its_content(claim: str) -> None:
    """Every file is read for what it is, and its books balance."""
    content, events, payloads = FILES[claim]

    made = replayed(content)

    assert (found(made.outcomes), found(made.payloads)) == (events, payloads)
    assert [] == imbalances(made.outcomes, made.payloads, made.malformed, flows(made), sum(events.values()))


def test_a_column_without_a_value_is_a_field_that_aws_could_not_compute() -> None:
    """A null counts as `-`; a tag of two words does not shift the fields behind it."""
    (series,) = replayed(columns(ROW)).subnets["subnet-a"]

    assert (series.flows, series.packets, series.bytes) == (1, 10, 0)


def test_a_damaged_parquet_file_is_a_sentence() -> None:
    """It is named, and no traceback is shown."""
    with pytest.raises(cli.ConfigError, match=r"^a file is a Parquet file that can't be read: "):
        replayed(columns(ROW)[:-20])


def test_parquet_without_its_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)

    with pytest.raises(cli.ConfigError, match=r"pip install 'kcl-flowlog\[parquet\]'"):
        replayed(columns(ROW))


def test_lines_of_one_log_stream_are_learned_from_together() -> None:
    """Dead letters of an interface that is not listed are attributed by what they have in common."""
    unknown = [line("10.0.1.77", f"198.51.100.{n}", "eni-gone") for n in range(3)]
    inventory = msgspec.structs.replace(INVENTORY, flow_logs=(FlowLog("fl-1", "vpc-1", "group", DEFAULT_FORMAT),))

    made = replayed(letters(*[letter("line", one, group="group") for one in unknown]), inventory=inventory)

    assert found(made.outcomes) == {"counted": 3}
    assert list(made.subnets) == ["subnet-a"]


def test_a_corrected_format_counts_what_was_bad() -> None:
    """That is what dead letters are kept for."""
    bad = letters(letter("line", "eni-a 10.0.1.10 8.8.8.8 700", group="group"))

    assert found(replayed(bad).outcomes) == {"malformed": 1}
    right = replayed(bad, formats=("group=${interface-id} ${srcaddr} ${dstaddr} ${bytes}",))
    assert [series.bytes for series in right.subnets["subnet-a"]] == [700]


def test_duplicates_are_counted_when_asked_to() -> None:
    """--no-deduplicate counts every copy."""
    assert found(replayed(PLAIN, PLAIN, deduplicate=False).outcomes) == {"counted": 2, "malformed": 2}


_BAD = st.one_of(
    st.text(max_size=40),
    st.integers(),
    st.none(),
    st.lists(st.sampled_from([*GOOD.split(), "-", "x"]), min_size=14, max_size=14).map(" ".join),
    st.sampled_from(["bad " * 2000, '{"a":1}', "{", GOOD]),
)


@settings(deadline=None)
@given(st.lists(st.one_of(st.lists(_BAD, max_size=8), st.binary(max_size=60)), max_size=4))
def test_a_replay_of_the_dead_letters_reproduces_their_counts(payloads: list[list[object] | bytes]) -> None:
    """Reason by reason, whatever was bad."""
    delta, _ = counted(*[one if isinstance(one, bytes) else envelope(*one) for one in payloads])

    made = replayed(letters(*delta.dead_letters))

    assert made.malformed == labelled(delta, counts.MALFORMED)
    assert found(made.outcomes) == {k: v for k, v in labelled(delta, counts.EVENTS).items() if k == "malformed"}
    assert made.subnets == {}


_CONTENT = st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode))
# A damaged Parquet file is a sentence.
_FILES = st.one_of(_CONTENT, _CONTENT.map(gzip.compress)).filter(lambda content: b"PAR1" not in content)


@settings(deadline=None)
@given(_FILES)
def test_any_file_balances(content: bytes) -> None:
    """No bytes raise anything, and nothing of them is counted as two things."""
    made = replayed(content)

    assert [] == imbalances(made.outcomes, made.payloads, made.malformed, flows(made))


# The command


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `replay` with an inventory that was saved."""
    inventory = tmp_path / "inventory.json"
    inventory.write_bytes(subnets.dump(INVENTORY))
    (tmp_path / "flows.log").write_text(LINES)

    def run(*arguments: str, **options: Any) -> Result:
        argv = ["replay", "--inventory", str(inventory), *arguments, str(tmp_path / "flows.log")]
        return CliRunner().invoke(cli.cli, argv, **options)

    return run


def test_json(run: Run) -> None:
    """`--output json` has every outcome, the reasons found, and the series of each subnet."""
    made = json.loads(run("--output", "json").stdout)

    assert made["outcomes"] == {
        "counted": 2,
        "nodata": 1,
        "skipdata": 1,
        "malformed": 1,
        "unsupported": 0,
        "unattributed": 0,
        "duplicate": 0,
    }
    assert made["malformed"] == {"field_count": 1}
    assert made["payloads"]["data"] == 0
    assert made["subnets"]["subnet-a"][0] == {
        "direction": "egress",
        "action": "accept",
        "protocol": "tcp",
        "peer": "internet",
        "flows": 1,
        "packets": 10,
        "bytes": 1000,
    }


def test_metrics(run: Run) -> None:
    """`--output metrics` is a page of the same series as in `run`, by the same options."""
    page = run("--output", "metrics", "--traffic-labels", "").stdout.splitlines()

    assert 'flowlog_flows_total{action="accept",direction="egress",subnet_id="subnet-a"} 1.0' in page
    assert 'flowlog_events_total{outcome="malformed"} 1.0' in page
    assert [] == [one for one in page if "daemon" in one or "shard" in one]


def test_a_table(run: Run) -> None:
    """What is 0 is left out."""
    assert run().stdout == (
        "subnet    name  direction  action  flows  packets  bytes\n"
        "subnet-a        egress     accept      1       10  1,000\n"
        "subnet-a        ingress    reject      1        1     40\n"
        "\n"
        "log events  number\n"
        "counted          2\n"
        "nodata           1\n"
        "skipdata         1\n"
        "malformed        1\n"
        "\n"
        "malformed    number\n"
        "field_count       1\n"
    )


def test_a_table_of_nothing() -> None:
    """It says so."""
    assert table(books().delta, INVENTORY) == "No record was counted for a subnet."


def test_standard_input(run: Run) -> None:
    """`-` is read, too."""
    made = json.loads(run("--output", "json", "-", input=envelope(GOOD)).stdout)

    assert (made["outcomes"]["counted"], made["payloads"]["data"]) == (3, 1)


def test_progress_comes_to_the_size_of_the_files(tmp_path: Path) -> None:
    """As they lie on disk: the bar of a compressed file ends at its end, too."""
    path = tmp_path / "flows.log.gz"
    path.write_bytes(gzip.compress(LINES.encode() * 1000))
    steps: list[int] = []

    with path.open("rb") as file:
        command._count(file, "a file", books(), steps.append)

    assert sum(steps) == path.stat().st_size


def test_an_inventory_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    """It names the file."""
    path = tmp_path / "inventory.json"
    path.write_text("[]")

    with pytest.raises(cli.ConfigError, match=r"inventory\.json is no inventory"):
        CliRunner().invoke(cli.cli, ["replay", "--inventory", str(path), str(path)], catch_exceptions=False)
