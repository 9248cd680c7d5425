"""A program that serves with 64 file descriptors, of which 6 are free. Prints its port, and ends with its input."""

from __future__ import annotations

import logging
import os
import resource
import sys

from kcl_flowlog.web.server import WebServer
from tests.support.web import LONG, FakeContents

_FREE = 6


def main() -> None:
    """Serve until standard input ends."""
    logging.basicConfig(format="%(message)s")
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    server = WebServer(("127.0.0.1", 0), FakeContents().pages(), client_timeout=LONG, stop_timeout=0.1)
    server.start()
    last = os.open(os.devnull, os.O_RDONLY)
    while last < 63 - _FREE:
        last = os.open(os.devnull, os.O_RDONLY)
    print(server.port, flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
