"""The listening socket of `--web.listen-address`.

Raises `ConfigError` if it is impossible to listen there. Knows nothing of HTTP.
"""

from __future__ import annotations

import os
import socket

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.values import host_and_port

BACKLOG = 128


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. An empty host means all addresses, IPv6 included if the machine has it."""
    try:
        if host:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, _, _, _, address = addresses[0]
            return socket.create_server(address, family=family, backlog=BACKLOG)
        if socket.has_dualstack_ipv6():
            return socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
        return socket.create_server(("", port), backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        shown = host_and_port(host, port)
        raise ConfigError(f"Cannot listen on {shown}: {_why(error)}; check --web.listen-address.") from None


def _why(error: OSError | UnicodeError) -> str:
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return "unknown host"
