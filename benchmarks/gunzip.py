"""gunzip alone, in a process that does nothing else: the lower bound that the other benchmarks compare with.

The product lets the C library keep freed memory; in the same process, gunzip would gain from that as well.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from isal import igzip

_LENGTH = 4


def write_payloads(file: Path, made: Sequence[bytes]) -> Path:
    """Write payloads, each behind its length."""
    file.write_bytes(b"".join(len(each).to_bytes(_LENGTH, "big") + each for each in made))
    return file


def read_payloads(file: Path) -> Iterator[bytes]:
    """Yield the payloads of a file."""
    content, start = file.read_bytes(), 0
    while start < len(content):
        end = start + _LENGTH + int.from_bytes(content[start : start + _LENGTH], "big")
        yield content[start + _LENGTH : end]
        start = end


class Gunzip:
    """The process, which inflates all payloads on request."""

    def __init__(self, running: subprocess.Popen[str], records: int) -> None:
        self._running = running
        self._records = records

    def count(self) -> float:
        """Inflate all payloads; return the CPU time of a record in microseconds."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        print(file=self._running.stdin, flush=True)
        return float(self._running.stdout.readline()) / self._records * 1e6


@contextmanager
def alone(made: Sequence[bytes], records: int) -> Iterator[Gunzip]:
    """Run the process until the end of the block; `records` is the number of flow records in all payloads."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, str(write_payloads(Path(folder, "payloads"), made))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield Gunzip(process, records)


def main() -> int:
    """Inflate the payloads of a file for each line of the standard input, and print the CPU time in seconds."""
    made = [*read_payloads(Path(sys.argv[1]))]
    for _ in sys.stdin:
        started = time.process_time()
        _texts = [igzip.decompress(payload) for payload in made]  # type: ignore[no-untyped-call]
        print(time.process_time() - started, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
