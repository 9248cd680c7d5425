"""Drain a backlog through the real daemon: `python benchmarks/stream.py`, a part of `make bench`.

Reports flow records per second, and CPU time per flow record of processors, JVM and launcher apart, for each number of
shards. `--against` measures another checkout in the same run, `--variant` other options, part by part in turn. Each
instance is warm before the first part that counts. At the end all counts must equal what was prepared.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from results import write_json
from streaming import network, traffic
from streaming.backlog import Shard, Stream, Streams
from streaming.drain import Part, drain, idle_rate
from streaming.processes import KINDS, Family
from streaming.server import KinesisServer

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.page import read

_HERE = Path(__file__).resolve().parent.parent
_ENVELOPES = 100  # different ones; the others are copies with other event ids
_START = 180.0
_PATIENCE = 240.0


class Candidate(NamedTuple):
    """What is measured: a checkout of kcl-flowlog, with options of `kcl-flowlog run`."""

    name: str
    checkout: Path
    options: list[str]


@dataclass
class Measured:
    """What was measured of one candidate with one number of shards."""

    candidate: str
    shards: int
    start_seconds: float = 0.0
    start_cpu: dict[str, float] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    warm_up: list[Part] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    peak_megabytes: dict[str, float] = field(default_factory=dict)


class Reader:
    """An instance of one candidate that reads its own stream."""

    def __init__(self, measured: Measured, instance: network.Instance, stream: Stream, leases: Any) -> None:
        self.measured = measured
        self._instance = instance
        self._stream = stream
        self._leases = leases
        self._ends = [0] * len(stream.shards)

    def wait_until_started(self) -> None:
        """Wait until there is a processor for each shard, and all is quiet."""
        began = time.monotonic()
        while self._family().count("processors") < self.measured.shards:
            self._instance.check()
            if time.monotonic() - began > _START:
                self._instance.fail("The instance did not get its shards in time")
            time.sleep(0.2)
        self.measured.start_seconds = round(time.monotonic() - began, 1)

    def note_start(self) -> None:
        """Note what the start has cost."""
        self.measured.start_cpu = dict(self._family().cpu_seconds())

    def note_idle(self) -> None:
        """Note what the idle instance uses, once it is warm: the compilers are busy for long after the start."""
        self.measured.idle = idle_rate(self._family())

    def drain(self, envelopes: int, records: int) -> Part:
        """Drain the next `envelopes` of each shard, which hold `records` in all."""
        self._ends = [end + envelopes for end in self._ends]
        self._instance.check()
        return drain(
            self._family(),
            self.measured.idle,
            records,
            lambda: self._stream.release(self._ends),
            self._is_committed,
            _PATIENCE,
        )

    def verify(self, flows: int, nodata: int) -> None:
        """Note the peaks; raise `RuntimeError` if the counts differ from what was prepared."""
        self.measured.peak_megabytes = self._family().peak_megabytes()
        page = read(self._instance.metrics_url, timeout=60)
        events = dict(page.counted.events) if page else {}
        expected = {"counted": flows, "nodata": nodata}
        if events != expected:
            raise RuntimeError(f"{self.measured.candidate}: counted {events} instead of {expected}.")

    def _family(self) -> Family:
        return Family(self._instance.pid)

    def _is_committed(self) -> bool:
        rows = self._leases.scan(TableName=f"{self._stream.name}-reader", ConsistentRead=True)["Items"]
        checkpoints = {row["leaseKey"]["S"]: row["checkpoint"]["S"] for row in rows if "checkpoint" in row}
        return all(
            checkpoints.get(shard.shard_id) == shard.sequence_number(end - 1)
            for shard, end in zip(self._stream.shards, self._ends, strict=True)
        )


def measure(options: argparse.Namespace, number: int, made: Sequence[traffic.Template], bench: Bench) -> list[Measured]:
    """Measure all candidates with `number` shards, part by part in turn."""
    parts = options.warm_up + options.parts
    envelopes = len(bench.payloads) // parts // number
    shards = [Shard(each) for each in range(number)]
    payloads = bench.payloads[: envelopes * parts * number]
    for each, shard in enumerate(shards):
        shard.add(payloads[each::number])
    templates = [made[each % len(made)] for each in range(len(payloads))]
    with ExitStack() as stack:
        readers = [bench.start(stack, candidate, shards) for candidate in options.candidates]
        for reader in readers:
            reader.wait_until_started()
        time.sleep(options.rest)
        for reader in readers:
            reader.note_start()
        for place in range(parts):
            for reader in readers:
                if place == options.warm_up:
                    reader.note_idle()
                part = reader.drain(envelopes, envelopes * number * options.events)
                (reader.measured.warm_up if place < options.warm_up else reader.measured.parts).append(part)
        for reader in readers:
            reader.verify(sum(each.flows for each in templates), sum(each.nodata for each in templates))
    return [reader.measured for reader in readers]


class Bench:
    """What all measurements share: the embedded AWS, Kinesis, a folder for the instances, the payloads of all parts."""

    def __init__(
        self, aws: EmbeddedAWS, streams: Streams, kinesis: str, folder: Path, payloads: Sequence[bytes]
    ) -> None:
        self.payloads = payloads
        self._aws = aws
        self._streams = streams
        self._kinesis = kinesis
        self._folder = folder

    def start(self, stack: ExitStack, candidate: Candidate, shards: Sequence[Shard]) -> Reader:
        """Start an instance that reads these shards."""
        stream = Stream(f"{candidate.name}-{len(shards)}", shards)
        self._streams.add(stream)
        running = network.running(
            candidate.checkout, self._folder / stream.name, stream.name, self._aws, self._kinesis, candidate.options
        )
        measured = Measured(candidate.name, len(shards))
        return Reader(measured, stack.enter_context(running), stream, self._aws.client("dynamodb"))


def table(results: Sequence[Measured]) -> Iterator[str]:
    """Return the lines of the table: medians of the parts."""
    yield f"{'':12} {'':6} {'':>9}   {'CPU µs/record':^38} {'CPU s':>7} {'peak MB':>16}"
    yield (
        f"{'candidate':12} {'shards':>6} {'records/s':>9}   {'processors':>10} {'JVM':>8} {'launcher':>8} {'all':>8}"
        f" {'start':>9} {'processor':>9} {'JVM':>6}"
    )
    for each in results:
        cpu = {kind: _median(each.parts, lambda part, kind=kind: part.cpu[kind]) for kind in KINDS}  # type: ignore[misc]
        yield (
            f"{each.candidate:12} {each.shards:6} {_median(each.parts, lambda part: part.rate):9,.0f}  "
            f" {cpu['processors']:10.2f} {cpu['JVM']:8.2f} {cpu['launcher']:8.2f} {sum(cpu.values()):8.2f}"
            f" {sum(each.start_cpu.values()):9.1f} {each.peak_megabytes['processors']:9.0f}"
            f" {each.peak_megabytes['JVM']:6.0f}"
        )


def _median(parts: Sequence[Part], figure: Callable[[Part], float]) -> float:
    return statistics.median(map(figure, parts))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 4, 8], help="numbers of shards (default: 1 4 8)")
    parser.add_argument("--records", type=int, default=600_000, help="flow records of a part (default: 600000)")
    parser.add_argument("--parts", type=int, default=5, help="parts that count; their median is shown (default: 5)")
    parser.add_argument("--warm-up", type=int, default=2, help="parts before, which warm up the JVM (default: 2)")
    parser.add_argument("--events", type=int, default=500, help="log events of an envelope (default: 500)")
    parser.add_argument("--rest", type=float, default=5.0, help="seconds of rest after the start (default: 5)")
    parser.add_argument("--against", type=Path, help="another checkout of kcl-flowlog to compare with")
    parser.add_argument("--json", type=Path, help="file to write the result to")
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        type=_variant,
        metavar="NAME=OPTIONS",
        help="measure this checkout with more options of `kcl-flowlog run`, too; repeatable",
    )
    options = parser.parse_args(arguments)
    others = [Candidate("other", options.against.resolve(), [])] if options.against else []
    options.candidates = [Candidate("this", _HERE, []), *others, *options.variant]
    return options


def _variant(text: str) -> Candidate:
    name, _, words = text.partition("=")
    return Candidate(name, _HERE, shlex.split(words))


def main(arguments: Sequence[str]) -> None:
    """Measure each number of shards, print a table, and write the result as JSON."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything that was started is stopped
    results: list[Measured] = []
    streams = Streams()
    kinesis = KinesisServer(streams.answer, streams.count_shards)
    kinesis.start()
    with tempfile.TemporaryDirectory() as folder, EmbeddedAWS(patience=_START) as aws:
        interfaces = network.make_network(aws, subnets=100, per_subnet=2)
        made = traffic.templates(interfaces, _ENVELOPES, options.events)
        rounds = max(1, options.records * (options.warm_up + options.parts) // options.events // len(made))
        bench = Bench(aws, streams, kinesis.endpoint, Path(folder), list(traffic.copies(made, rounds)))
        for number in options.shards:
            results += measure(options, number, made, bench)
            print(*table(results), sep="\n", flush=True)
    kinesis.stop()
    if options.json:
        write_json(options.json, [asdict(each) for each in results])


if __name__ == "__main__":
    main(sys.argv[1:])
