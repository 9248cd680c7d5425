"""Fuzz decoding and parsing for some minutes: `make fuzz ARGS='--minutes 10'`.

Every target gets its share of the time. What was found once is kept in build/fuzz, and tried first the next time.
Ends with 1 as soon as an input raises, takes over ten seconds, or over half a gigabyte of memory; libFuzzer then
writes that input to a file and says which.
"""

from __future__ import annotations

import argparse
import gzip
import re
import subprocess
import sys
from pathlib import Path

from kcl_flowlog.counting.flow_record import DEFAULT_FORMAT, FIELDS
from tests.support.builders import GOOD, NODATA, SKIPDATA, envelope, line

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "build" / "fuzz"
TARGETS = ("payloads", "lines", "files")


def seeds(target: str) -> list[bytes]:
    """Return what to begin with: one of each kind."""
    denied = line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=22)
    text = "\n".join([GOOD, NODATA, SKIPDATA, denied, line("10.0.1.77", "2001:db8::1", "eni-new"), '{"srcAddr":"::1"}'])
    plain = gzip.decompress(envelope(GOOD, NODATA, denied, 7, "bad"))
    letter = (
        b'{"shard_id":"s","sequence_number":"1","sub_sequence_number":0,"reason":"field_count","kind":"line",'
        b'"body":"bad","owner":"","log_group":"group","log_stream":"eni-a-all","truncated":false}\n'
    )
    header = DEFAULT_FORMAT.replace("${", "").replace("}", "")
    return {
        "payloads": [bytes([wrap]) + plain for wrap in range(8)] + [b"\0" + plain + plain],
        "lines": [text.encode(), *(one.encode() for one in text.split("\n"))],
        "files": [
            bytes([wrap]) + one
            for wrap in range(2)
            for one in (text.encode(), f"{header}\n{GOOD}".encode(), plain, plain + b"\n" + plain, letter * 2)
        ],
    }[target]


def words() -> str:
    """Return a dictionary for libFuzzer: the words that bytes alone would take long to find."""
    found = ["ACCEPT", "REJECT", "OK", "NODATA", "SKIPDATA", "eni-a", "eni-", "subnet-a", "vpc-1", "tgw-", "10.0.1.10"]
    found += ["TransitGateway", "ingress", "egress", "2001:db8::1", "1700000000", " - ", "messageType", "DATA_MESSAGE"]
    found += ["CONTROL_MESSAGE", "logEvents", "message", "logGroup", "logStream", "owner", "id", "kind", "body", "PAR1"]
    found += ["payload", "line", "event", "truncated", "srcAddr", "interfaceId", "logStatus", "H4sI", *FIELDS]
    return "".join(f'"{word}"\n' for word in dict.fromkeys(found))


def fuzz(target: str, seconds: int) -> bool:
    """Fuzz one target; say what came of it, and whether it went well."""
    corpus = WORK / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    dictionary = WORK / "words.dict"
    dictionary.write_text(words())
    options = [
        f"-max_total_time={seconds}",
        f"-dict={dictionary}",
        f"-artifact_prefix={WORK}/{target}-",
        *("-max_len=65536", "-timeout=10", "-rss_limit_mb=512", "-print_final_stats=1"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.target", target, *options, str(corpus)],
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
        f"{covered[0][0]} places and {covered[0][1]} features covered, at most {memory[0]} MB",
        flush=True,
    )
    if done.returncode:
        print(done.stdout[-6000:], file=sys.stderr)
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="time for all targets together (default: 10)")
    parser.add_argument("--target", action="append", choices=TARGETS, help="only this one; may be repeated")
    asked = parser.parse_args()
    targets = asked.target or TARGETS
    seconds = max(1, round(asked.minutes * 60 / len(targets)))
    print(f"Fuzzing {', '.join(targets)}, {seconds} s each …", flush=True)
    outcomes = [fuzz(target, seconds) for target in targets]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
