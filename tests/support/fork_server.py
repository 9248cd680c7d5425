"""A server that has imported the product, and forks programs: `python -m tests.support.fork_server DESCRIPTOR`.

A request is a packet on the socket DESCRIPTOR: JSON, with the program's three standard streams and a socket. That
socket gets the process id, with a pidfd, and later the exit code. The server ends when DESCRIPTOR closes. It must not
have threads.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import socket
import sys
from collections.abc import Callable

# What most of the programs import.
_PRELOADED = (
    "kcl_flowlog.__main__",
    "kcl_flowlog.cli",
    "kcl_flowlog.launcher.instance",
    "kcl_flowlog.processor.__main__",
    "kcl_flowlog.replay.command",
    "kcl_flowlog.replay.inventory_command",
)
_LARGEST = 100_000


def serve(server: socket.socket) -> Callable[[], object] | None:
    """Fork a program for each request; return what it has to run in the program, None in the server at the end."""
    clients: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in clients:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _tell_end(*clients.pop(key.fd))
                    continue
                request, descriptors, _, _ = socket.recv_fds(server, _LARGEST, 4)
                if not request:
                    return None
                pid = os.fork()
                if pid == 0:
                    return _become(descriptors, **json.loads(request))
                *streams, connection = descriptors
                for stream in streams:
                    os.close(stream)
                client, pidfd = socket.socket(fileno=connection), os.pidfd_open(pid)
                # A signal goes to the pidfd, which is never another process.
                socket.send_fds(client, [b"%d" % pid], [pidfd])
                clients[pidfd] = pid, client
                selector.register(pidfd, selectors.EVENT_READ)


def _tell_end(pid: int, client: socket.socket) -> None:
    _, status = os.waitpid(pid, 0)
    # Perhaps nobody waits for the program any more.
    with client, contextlib.suppress(BrokenPipeError):
        client.send(b"%d" % os.waitstatus_to_exitcode(status))


def _become(
    descriptors: list[int], program: str, arguments: list[str], environ: dict[str, str]
) -> Callable[[], object]:
    """Take over the streams and the environment; return the program's `main`."""
    for number, stream in enumerate(descriptors[:3]):
        os.dup2(stream, number)
    for descriptor in descriptors:
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = [program, *arguments]
    main: Callable[[], object] = importlib.import_module(f"{program}.__main__").main
    return main


def main() -> None:
    for name in _PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as server:
        program = serve(server)
    if program is not None:
        # A program ends as it would without the server: this is all that is left to do.
        program()


if __name__ == "__main__":
    main()
