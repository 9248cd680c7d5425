"""The only way to an AWS on this machine: a forward proxy, and behind it TLS with a certificate of a test's authority.

The host names of `HOSTS` exist only in the proxy: no resolver knows them.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from contextlib import closing, suppress

from tests.support.certificates import Issued
from tests.support.waiting import PATIENCE

HOST = "aws.flowlog.test"
"""The host that the proxy leads to the AWS, on any port."""

USER = "flow:log"
"""User and password that the proxy wants."""

_REFUSAL = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=proxy\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)
_PASS = base64.b64encode(USER.encode()).decode()


class WayOut:
    """The proxy in front of the AWS that listens on a port of the loopback, as a context manager."""

    def __init__(self, aws_port: int, issued: Issued) -> None:
        self._aws_port = aws_port
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(issued.cert, issued.key)
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._is_serving = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._tls_port = 0
        self.port = 0
        """The proxy's port, on the loopback."""
        self.proxied: list[str] = []
        """The targets of the connections that the proxy has made."""

    def __enter__(self) -> WayOut:
        self._thread.start()
        assert self._is_serving.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        servers = [
            await asyncio.start_server(self._decrypt, "127.0.0.1", 0, ssl=self._tls),
            await asyncio.start_server(self._proxy, "127.0.0.1", 0),
        ]
        self._tls_port, self.port = (server.sockets[0].getsockname()[1] for server in servers)
        self._is_serving.set()
        await self._stopping.wait()
        for server in servers:
            server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        # A transport closes its socket a turn of the loop later.
        await asyncio.sleep(0)

    async def _proxy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError), closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, *_ = head.split()
            if f"proxy-authorization: basic {_PASS}".lower() not in head.lower():
                writer.write(_REFUSAL)
            elif method != "CONNECT" or target.partition(":")[0] != HOST:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            else:
                self.proxied.append(target)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await _relay(reader, writer, self._tls_port)

    async def _decrypt(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError), closing(writer):
            await _relay(reader, writer, self._aws_port)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Connect with a port of the loopback, and pass on what both sides send until either ends."""
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
    copies = [asyncio.create_task(_copy(reader, far_writer)), asyncio.create_task(_copy(far_reader, writer))]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        far_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
