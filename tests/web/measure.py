"""What scrapes wait while other clients attack: `python -m tests.web.measure`.

Prints for each attack the longest and the median time of a scrape beyond its own rendering, the growth of the server's
memory, and the time of a stop. The server is another process; the attackers share the scraper's address.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import psutil

from kcl_flowlog.web.server import WebServer
from tests.support.attackers import ATTACKS, REQUEST, Target, dribbling, never_reading, silent, stuck_in_the_handshake
from tests.support.measured_scrapes import measure_scrapes
from tests.support.web import FakeContents, ServedElsewhere, get

_PAGE_BYTES = 3_000_000
_RENDERING = 0.2


def serve() -> None:
    """Serve pages that take a while, each of them another object, until standard input ends."""
    contents = FakeContents()

    def render(accept: str, query: Mapping[str, Sequence[str]]) -> tuple[str, Sequence[bytes]]:
        time.sleep(_RENDERING)
        return "text/plain", [os.urandom(_PAGE_BYTES)]

    contents.render = render
    server = WebServer(("127.0.0.1", 0), contents.pages())
    server.start()
    print(server.port, flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    server.stop()
    print(time.monotonic() - began, flush=True)


def never_reading_apart(target: Target) -> None:
    """50 clients request a page one after the other, so that no two share a page, and don't read it."""
    for client in target.open_for_requests(50):
        client.sendall(REQUEST)
        client.recv(1)


def measure(name: str, attacks: Sequence[object]) -> None:
    """Print a line for an attack."""
    with _server() as (server, process), contextlib.ExitStack() as stack:

        def memory() -> int:
            return int(psutil.Process(process.pid).memory_info().rss)

        def scrape() -> None:
            assert _PAGE_BYTES == len(get(server).body)

        scrape()
        before = memory()
        for attack in attacks:
            attack(Target(server, None, stack))  # type: ignore[operator]
        scrapes = measure_scrapes(scrape, memory, before)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("stop\n")
        process.stdin.flush()
        stopped = float(process.stdout.readline())
    beyond = scrapes._replace(waited=[each - _RENDERING for each in scrapes.waited])
    print(f"{name:24} {beyond}  stop {stopped:5.2f} s", flush=True)


@contextlib.contextmanager
def _server() -> Iterator[tuple[ServedElsewhere, subprocess.Popen[str]]]:
    command = [sys.executable, "-c", "from tests.web.measure import serve; serve()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield ServedElsewhere(int(process.stdout.readline())), process


def main() -> None:
    """Measure all attacks."""
    measure("nobody", [])
    for name, attacks in ATTACKS.items():
        measure(name, attacks)
    measure("never-reading-apart", [never_reading_apart])
    measure(
        "all, apart",
        [silent, stuck_in_the_handshake, never_reading_apart, dribbling, never_reading],
    )


if __name__ == "__main__":
    main()
