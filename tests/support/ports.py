"""Ports for servers that other processes start later: nobody else takes them in the meantime."""

from __future__ import annotations

import atexit
import random
import socket

# Below the ports that Linux gives to whoever asks for any port.
_PORTS = range(10_000, 30_000)


def reserve_port() -> int:
    """Return a free port of the loopback that no other test gets as long as this process runs."""
    while True:
        port = random.choice(_PORTS)
        claim = socket.socket(socket.AF_UNIX)
        try:
            # An abstract name: it belongs to one process, and ends with it.
            claim.bind(f"\0kcl-flowlog-test-port-{port}")
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            claim.close()
        else:
            atexit.register(claim.close)
            return port
