"""A target of the fuzzer: takes any bytes, and fails if the outcome is not documented.

`python -m tests.fuzz.target TARGET [libFuzzer's options] CORPUS`; see run.py.
"""

from __future__ import annotations

import base64
import gzip
import io
import re
import resource
import sys
import time
from collections.abc import Callable
from functools import partial

import atheris
import pyarrow.parquet as _  # noqa: F401 # takes hundreds of megabytes of address space for itself, before the limit

with atheris.instrument_imports(include=["kcl_flowlog"], enable_loader_override=False):
    from kcl_flowlog.counting.attribution import Attributor
    from kcl_flowlog.counting.delta import Delta
    from kcl_flowlog.counting.duplicates import Window
    from kcl_flowlog.counting.envelope import LogEvent
    from kcl_flowlog.counting.fields import FIELDS
    from kcl_flowlog.counting.flow_record import ACTIONS, DIRECTIONS, OTHER_PROTOCOL, PROTOCOL_NAMES
    from kcl_flowlog.counting.formats import Formats
    from kcl_flowlog.counting.interface_types import INTERFACE_TYPES
    from kcl_flowlog.counting.inventory_index import Index
    from kcl_flowlog.counting.line_by_line import Denial
    from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
    from kcl_flowlog.counting.log_stream import LogStream
    from kcl_flowlog.counting.paths import PATHS
    from kcl_flowlog.counting.payload import PayloadCounter
    from kcl_flowlog.counting.peers import PEERS
    from kcl_flowlog.counting.subnets import FlowLog, Inventory
    from kcl_flowlog.errors import ConfigError
    from kcl_flowlog.processor.denials import denial_line
    from kcl_flowlog.replay import inputs
    from kcl_flowlog.replay.counter import ItemCounter
    from tests.support.balance import imbalances_of
    from tests.support.builders import INVENTORY, NOW, ORIGIN
    from tests.support.columns import as_cloudwatch_logs, counted_all_ways

LIMIT = 1_000_000
# Of address space, besides what Python, libFuzzer and the instrumented modules have taken by then.
MEMORY = 512 * 1024 * 1024
# Seconds of CPU for one input.
SLOW = 10.0
# The base64 of 4,096 bytes, with some room.
LARGEST_LETTER = 8192
SUBNET = re.compile(r"subnet-\w{1,57}")
LABELS = {
    *DIRECTIONS.values(),
    *ACTIONS.values(),
    *PROTOCOL_NAMES.values(),
    OTHER_PROTOCOL,
    *PEERS,
    *PATHS,
    *INTERFACE_TYPES,
}
ALL_FIELDS = " ".join(f"${{{name}}}" for name in FIELDS)
ODD = "${interface-id} ${action} ${bytes} ${srcaddr} ${dstaddr} ${end} ${flow-direction} ${subnet-id} ${novel}"
FORMATS = (DEFAULT_FORMAT, " ".join(reversed(DEFAULT_FORMAT.split())), ALL_FIELDS, ODD)
WORLD = Inventory(
    1.0,
    INVENTORY.subnets,
    INVENTORY.interfaces,
    tuple(FlowLog(f"fl-{n}", "vpc-1", "group", text) for n, text in enumerate(FORMATS)),
)
INDEX = Index(WORLD)
LOG_STREAM = LogStream("123456789010", "group", "eni-a-all")


def write_denial(denial: Denial) -> None:
    denial_line(denial, NOW)


def counter() -> PayloadCounter:
    return PayloadCounter(Formats(), Attributor(INDEX), frozenset({"22"}), LIMIT, write_denial, Window())


def check(delta: Delta, payloads_in: int | None = None, events_in: int | None = None) -> None:
    """Fail if the books don't balance, a label is unknown, or a dead letter is too large."""
    wrong = imbalances_of(delta, events_in, payloads_in)
    if wrong:
        raise AssertionError(wrong)
    for series, numbers in delta.traffic.items():
        assert SUBNET.fullmatch(series.subnet_id), series
        assert set(series[1:]) <= LABELS, series
        assert min(numbers) >= 0, numbers
    for letter in delta.dead_letters:
        assert len(letter.body) <= LARGEST_LETTER, letter


WRAPS: tuple[Callable[[bytes], bytes], ...] = (
    bytes,
    gzip.compress,
    base64.b64encode,
    lambda data: base64.b64encode(gzip.compress(data)),
    lambda data: gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]),
    lambda data: gzip.compress(data)[: -1 - len(data) % 9],
    lambda data: gzip.compress(data) + data,
    lambda data: gzip.compress(data * 50),
)


def payloads(data: bytes) -> None:
    """Count a payload; its first byte selects the encoding of the rest."""
    delta = Delta()
    made = counter()
    made.count(WRAPS[data[0] % len(WRAPS)](data[1:]) if data else b"", ORIGIN, NOW, delta)
    made.finish(NOW, delta)
    check(delta, payloads_in=1)


def lines(data: bytes) -> None:
    """Count each line as the message of a log event. A NUL stands for a space, so that libFuzzer finds words sooner."""
    messages = data.replace(b"\0", b" ").decode(errors="replace").split("\n")
    delta = Delta()
    made = counter()
    made.count_events(LOG_STREAM, [LogEvent(message) for message in messages], ORIGIN, NOW, delta)
    made.finish(NOW, delta)
    check(delta, events_in=len(messages))


def columns(data: bytes) -> None:
    """Count a text as lines of CloudWatch Logs' envelopes, and as JSON of events, line by line and as columns."""
    text = data[1:].decode(errors="replace")
    lines = text.replace("\0", " ").split("\n")
    middle = as_cloudwatch_logs(["-"] * 3, event=text)
    payloads = [as_cloudwatch_logs(lines), as_cloudwatch_logs(lines, "eni-b-all"), middle]
    line_format = FORMATS[data[0] % len(FORMATS)] if data else FORMATS[0]
    for with_denials in (False, True):
        by_line, shortly, as_columns = counted_all_ways(payloads, (line_format,), with_denials, WORLD)
        assert by_line == shortly == as_columns, (by_line, shortly, as_columns)


def files(data: bytes) -> None:
    """Replay a file; its first byte selects the encoding of the rest."""
    content = WRAPS[data[0] % 2](data[1:]) if data else b""
    made = ItemCounter(Attributor(INDEX), (), frozenset({"22"}), LIMIT, True, clock=lambda: NOW)
    try:
        for item in inputs.read_items(io.BytesIO(content), "a file"):
            made.count(item, "a file")
        made.finish()
    except ConfigError as error:
        if "Parquet" not in str(error):
            raise
    check(made.delta)


TARGETS = {"payloads": payloads, "lines": lines, "columns": columns, "files": files}


def limit_memory() -> None:
    """Let a larger allocation raise `MemoryError` in the target, which names the line that asked for it."""
    with open("/proc/self/statm", encoding="ascii") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))


def timed(target: Callable[[bytes], None], data: bytes) -> None:
    """Run a target on an input; raise if it takes too much CPU time, which a busy machine doesn't change."""
    began = time.process_time()
    target(data)
    taken = time.process_time() - began
    assert taken <= SLOW, f"{taken:.1f} s of CPU"


if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], partial(timed, TARGETS[sys.argv[1]]))
    limit_memory()
    atheris.Fuzz()
