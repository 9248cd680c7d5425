"""Fuzz decoding and parsing: `make fuzz ARGS='--minutes 10'`.

The targets share the time. build/fuzz keeps the inputs that reached new code, and the next run starts from them.
Exits with 1 if an input raises, takes over ten seconds of CPU, or over half a gigabyte of memory; libFuzzer then writes
that input to a file and prints its name.
"""

from __future__ import annotations

import argparse
import gzip
import re
import subprocess
import sys

from kcl_flowlog.counting.fields import FIELDS
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from tests.support.builders import GOOD, NODATA, SKIPDATA, envelope, line
from tests.support.hostile import HOSTILE
from tests.support.paths import ROOT

EVENT = f'{{"id":"1","timestamp":1700000000000,"message":"{GOOD}"}}'.encode()
WORK = ROOT / "build" / "fuzz"
TARGETS = ("payloads", "lines", "columns", "files")
# Seconds by the clock on the wall: for an input that never ends. What is only slow, the target itself measures.
HANG = 300


def seeds(target: str) -> list[bytes]:
    """Return the first inputs of a target: an example of each kind."""
    denied = line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=22)
    text = "\n".join(
        [GOOD, NODATA, SKIPDATA, denied, line("10.0.1.77", "2001:db8::1", "eni-facefeed"), '{"srcAddr":"::1"}']
    )
    plain = gzip.decompress(envelope(GOOD, NODATA, denied, 7, "bad"))
    letter = (
        b'{"shard_id":"s","sequence_number":"1","sub_sequence_number":0,"reason":"field_count","kind":"line",'
        b'"body":"bad","owner":"","log_group":"group","log_stream":"eni-a-all","truncated":false}\n'
    )
    header = DEFAULT_FORMAT.replace("${", "").replace("}", "")
    return {
        "payloads": [bytes([wrap]) + plain for wrap in range(8)]
        + [b"\0" + plain + plain]
        + [b"\1" + make(size).encode() for make in HOSTILE.values() for size in (1000, 60_000)],
        "columns": [b"\0" + text.encode(), *(b"\0" + message.encode() for message in text.split("\n")), b"\0" + EVENT],
        "lines": [text.encode(), *(message.encode() for message in text.split("\n"))],
        "files": [
            bytes([wrap]) + content
            for wrap in range(2)
            for content in (text.encode(), f"{header}\n{GOOD}".encode(), plain, plain + b"\n" + plain, letter * 2)
        ],
    }[target]


def words() -> str:
    """Return a dictionary for libFuzzer: words that random bytes would rarely form."""
    found = ["ACCEPT", "REJECT", "OK", "NODATA", "SKIPDATA", "eni-a", "eni-", "subnet-a", "vpc-1", "tgw-", "10.0.1.10"]
    found += ["TransitGateway", "ingress", "egress", "2001:db8::1", "1700000000", " - ", "messageType", "DATA_MESSAGE"]
    found += ["CONTROL_MESSAGE", "logEvents", "message", "logGroup", "logStream", "owner", "id", "kind", "body", "PAR1"]
    found += ["payload", "line", "event", "truncated", "srcAddr", "interfaceId", "logStatus", "H4sI", *FIELDS]
    return "".join(f'"{word}"\n' for word in dict.fromkeys(found))


def fuzz(target: str, seconds: int) -> bool:
    """Fuzz one target and print what it covered; tell whether it found nothing."""
    corpus = WORK / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    dictionary = WORK / "words.dict"
    dictionary.write_text(words())
    flags = [
        f"-max_total_time={seconds}",
        f"-dict={dictionary}",
        f"-artifact_prefix={WORK}/{target}-",
        *("-max_len=65536", f"-timeout={HANG}", "-rss_limit_mb=512", "-print_final_stats=1"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.target", target, *flags, str(corpus)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    covered = re.findall(r"cov: (\d+) ft: (\d+)", done.stdout)[-1:] or [("?", "?")]
    runs = re.findall(r"number_of_executed_units: (\d+)", done.stdout)[-1:] or ["?"]
    memory = re.findall(r"peak_rss_mb: +(\d+)", done.stdout)[-1:] or ["?"]
    print(
        f"{target}: {runs[0]} inputs in {seconds} s, {len(list(corpus.iterdir()))} kept, "
        f"{covered[0][0]} edges and {covered[0][1]} features covered, at most {memory[0]} MB",
        flush=True,
    )
    if done.returncode:
        print(done.stdout[-6000:], file=sys.stderr)
    return done.returncode == 0


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="time for all targets together (default: 10)")
    parser.add_argument("--target", action="append", choices=TARGETS, help="only this target; repeatable")
    options = parser.parse_args()
    targets = options.target or TARGETS
    seconds = max(1, round(options.minutes * 60 / len(targets)))
    print(f"Fuzzing {', '.join(targets)}, {seconds} s each …", flush=True)
    outcomes = [fuzz(target, seconds) for target in targets]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
