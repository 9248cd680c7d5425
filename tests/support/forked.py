"""Programs of the product as processes that cost a fork, not an interpreter's start and its imports.

A program has its own process, environment and standard streams, and ends as `python -m` would. What a fork can't show
is the start itself, so each kind of program is also started for real by some test.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

from tests.support.paths import ROOT


class Forked:
    """A program, with the methods of `subprocess.Popen`; `streams` are the descriptors that become 0, 1 and 2."""

    def __init__(
        self, program: str, streams: Sequence[int], environ: Mapping[str, str], arguments: Sequence[str] = ()
    ) -> None:
        request = {"program": program, "arguments": list(arguments), "environ": dict(environ)}
        self._end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(_server(), [json.dumps(request).encode()], [*streams, theirs.fileno()])
        pid, (self._pidfd,), _, _ = socket.recv_fds(self._end, 100, 1)
        self.pid = int(pid)
        self._code: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[bytes] | None = None

    @classmethod
    def with_pipes(cls, program: str, environ: Mapping[str, str], stderr: int) -> Forked:
        """Start a program, with `stdin` to write to and `stdout` to read from."""
        its_stdin, to_it = os.pipe()
        from_it, its_stdout = os.pipe()
        try:
            forked = cls(program, (its_stdin, its_stdout, stderr), environ)
        finally:
            os.close(its_stdin)
            os.close(its_stdout)
        forked.stdin, forked.stdout = open(to_it, "wb", buffering=0), open(from_it, "rb", buffering=0)  # noqa: SIM115
        return forked

    def wait(self, patience: float) -> int:
        """Return the exit code; of a signal, its number below 0."""
        if self._code is None:
            self._end.settimeout(patience)
            with self._end:
                self._code = int(self._end.recv(100))
            os.close(self._pidfd)
        return self._code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the program has ended."""
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


@functools.cache
def _server() -> socket.socket:
    """Start the server of this process; it ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def stop() -> None:
        ours.close()
        process.wait()

    atexit.register(stop)
    return ours
