"""The server behind `EmbeddedAWS`: `python -m kcl_flowlog.demo.aws_server`.

It is moto behind hypercorn, because the KCL's Kinesis client speaks HTTP/2
without TLS, which moto's own server does not. It stops when its stdin is closed,
so it ends with its parent, however the parent ends.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import io
import os
import re
import socket
import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any

from kcl_flowlog.demo.embedded_aws import HOST, NAT_DESCRIPTION

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def one_at_a_time(app: WSGI) -> WSGI:
    """Return `app` serialised: it serves one request at a time.

    moto's conditional writes, which the leases rely on, are not thread-safe.
    """
    lock = threading.Lock()

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with lock:
            return list(app(environ, start_response))

    return serve


_REFUSAL = (
    b'<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>UnauthorizedOperation</Code>'
    b"<Message>You are not authorized to perform this operation.</Message></Error></Errors>"
    b"<RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"
)


def denying(app: WSGI, denied: frozenset[str]) -> WSGI:
    """Return `app` without the permission for the EC2 actions in `denied`."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if not denied.isdisjoint(action.decode() for action in re.findall(rb"(?:^|&)Action=(\w+)", body)):
            start_response("403 Forbidden", [("Content-Type", "text/xml")])
            return [_REFUSAL]
        return app({**environ, "wsgi.input": io.BytesIO(body)}, start_response)

    return serve


def _serve(listener: socket.socket, denied: Collection[str]) -> None:
    """Serve on `listener` until stdin is closed."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 0.0
    config.errorlog = "-"
    config.loglevel = "WARNING"
    app = one_at_a_time(denying(DomainDispatcherApplication(_backend), frozenset(denied)))
    asyncio.run(serve(app, config, mode="wsgi", shutdown_trigger=_end_of_stdin))


def _backend(service: Any) -> Any:
    """Return moto's application for a service. moto calls this at the first request to the service."""
    from moto.moto_server.werkzeug_app import create_backend_app

    if service == "ec2":
        _repair_subnets()
        _repair_nat_gateways()
    return create_backend_app(service)


def _repair_subnets() -> None:
    """Make DescribeSubnets give the state of an IPv6 block as EC2 does: `associated`.

    moto 5.2.5 wraps the word twice; clients read "{'State': 'associated'}".
    """
    subnets: Any = importlib.import_module("moto.ec2.models.subnets")
    original = getattr(subnets.Subnet, "ipv6_cidr_block_association_set", None)
    if isinstance(original, property) and original.fget is not None:
        blocks = original.fget

        def repaired(subnet: Any) -> list[dict[str, Any]]:
            return [{**block, "ipv6CidrBlockState": {"state": "associated"}} for block in blocks(subnet)]

        subnets.Subnet.ipv6_cidr_block_association_set = property(repaired)


def _repair_nat_gateways() -> None:
    """Give the interfaces of NAT gateways, told by their description, the type that EC2 gives them.

    With moto 5.2.5 every interface has the type `interface`.
    """
    interfaces: Any = importlib.import_module("moto.ec2.models.elastic_network_interfaces")
    make = interfaces.NetworkInterface.__init__

    def repaired(interface: Any, *args: Any, **kwargs: Any) -> None:
        make(interface, *args, **kwargs)
        if interface.description.startswith(NAT_DESCRIPTION):
            interface.interface_type = "nat_gateway"

    interfaces.NetworkInterface.__init__ = repaired


async def _end_of_stdin() -> None:
    """Return once stdin is closed, by the parent or by its death."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()

    def wait() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=wait, daemon=True).start()
    await closed.wait()


def main(argv: list[str] | None = None) -> None:
    """Serve AWS on a loopback port, or on an inherited listening socket."""
    parser = argparse.ArgumentParser(prog="kcl_flowlog.demo.embedded_aws", description=main.__doc__)
    address = parser.add_mutually_exclusive_group(required=True)
    address.add_argument("--port", type=int, help="port to listen on")
    address.add_argument("--fd", type=int, help="file descriptor of a listening socket")
    parser.add_argument("--deny", action="append", default=[], help="EC2 action to refuse; may be repeated")
    options = parser.parse_args(argv)
    listener = socket.create_server((HOST, options.port)) if options.fd is None else socket.socket(fileno=options.fd)
    _serve(listener, options.deny)


if __name__ == "__main__":
    main()
