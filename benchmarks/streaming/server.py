"""A Kinesis over HTTP/2 without TLS, which the KCL's client speaks, in a thread of the benchmark.

The launcher speaks HTTP/1.1 and asks once, for a description of the stream. Answers to the KCL
cost 5 to 10 ms of CPU time for ten megabytes, some 0.03 µs for a flow record. Answers to several requests of a
connection take turns, as the client's windows allow. A client that breaks the rules loses its connection.
"""

from __future__ import annotations

import json
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from streaming import cbor

log = logging.getLogger(__name__)

_READ = 1 << 16
_BEGIN_OF_HTTP2 = b"PRI"
# No more is put into frames while this much waits for the socket.
_ENOUGH = 1 << 19

Answer = Callable[[str, bytes], bytes]
"""Returns the body of the answer to a request, given its target and its body."""


class _Connection:
    """One connection: its requests that are not complete, and its answers that are not sent."""

    def __init__(self, connection: socket.socket, answer: Answer) -> None:
        self._socket = connection
        self._answer = answer
        self._http = H2Connection(H2Configuration(client_side=False))
        self._http.initiate_connection()
        self._targets: dict[int, str] = {}
        self._bodies: dict[int, bytes] = {}
        self._answers: dict[int, memoryview] = {}
        self._out = b""

    def receive(self) -> bool:
        """Read what is there; return whether the connection is still open."""
        data = self._socket.recv(_READ)
        for event in self._http.receive_data(data):
            if isinstance(event, RequestReceived):
                headers = dict(event.headers)
                self._targets[event.stream_id] = headers[b"x-amz-target"].decode().rpartition(".")[2]
                self._bodies[event.stream_id] = b""
            elif isinstance(event, DataReceived):
                self._bodies[event.stream_id] += event.data
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self._respond(event.stream_id)
            elif isinstance(event, StreamReset):
                self._answers.pop(event.stream_id, None)
        return bool(data)

    def send(self) -> bool:
        """Send until the socket or the windows are full; return whether it was the socket."""
        while True:
            self._fill_frames()
            self._out += self._http.data_to_send()
            if not self._out:
                return False
            try:
                self._out = self._out[self._socket.send(self._out) :]
            except BlockingIOError:
                return True

    def _fill_frames(self) -> None:
        """Put a frame of each answer in turn, until the windows are used up or enough waits for the socket."""
        waiting = len(self._out)
        progress = True
        while progress and waiting < _ENOUGH:
            progress = False
            for stream, rest in list(self._answers.items()):
                window = self._http.local_flow_control_window(stream)
                size = min(len(rest), window, self._http.max_outbound_frame_size)
                if size <= 0:
                    continue
                self._http.send_data(stream, bytes(rest[:size]), end_stream=size == len(rest))
                self._answers[stream] = rest[size:]
                if size == len(rest):
                    del self._answers[stream]
                waiting += size
                progress = True

    def _respond(self, stream: int) -> None:
        target, body = self._targets.pop(stream), self._bodies.pop(stream)
        try:
            status, answer = "200", self._answer(target, body)
        except (KeyError, ValueError) as error:
            log.error("Refused %s: %r", target, error)
            status, answer = "400", cbor.encode({"__type": "InvalidArgumentException"})
        headers = [
            (":status", status),
            ("content-type", "application/x-amz-cbor-1.1"),
            ("content-length", str(len(answer))),
            ("x-amzn-requestid", f"{stream:08d}"),
        ]
        self._http.send_headers(stream, headers)
        self._answers[stream] = memoryview(answer)


class _Description(BaseHTTPRequestHandler):
    """Answers one request of the launcher: DescribeStreamSummary."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, address: tuple[str, int], count_shards: Callable[[str], int]) -> None:
        self.count_shards = count_shards
        super().__init__(connection, address, None)  # type: ignore[arg-type] # it needs no server

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = request.get("StreamName") or request["StreamARN"].rpartition("/")[2]
        summary = {
            "StreamName": name,
            "StreamARN": f"arn:aws:kinesis:eu-west-1:123456789012:stream/{name}",
            "StreamStatus": "ACTIVE",
            "StreamCreationTimestamp": 1_700_000_000,
            "OpenShardCount": self.count_shards(name),
        }
        body = json.dumps({"StreamDescriptionSummary": summary}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


class KinesisServer:
    """Serves on a free port of this machine, from `start` until `stop`."""

    def __init__(self, answer: Answer, count_shards: Callable[[str], int]) -> None:
        self._answer = answer
        self._count_shards = count_shards
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="kinesis", daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping = True
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        while not self._is_stopping:
            for key, _ in self._selector.select(timeout=0.5):
                if key.data is None:
                    self._accept()
                else:
                    self._serve(key)

    def _accept(self) -> None:
        connection, address = self._listener.accept()
        connection.setblocking(True)
        if connection.recv(len(_BEGIN_OF_HTTP2), socket.MSG_PEEK) != _BEGIN_OF_HTTP2:
            threading.Thread(target=self._describe, args=(connection, address), daemon=True).start()
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(connection, selectors.EVENT_READ, _Connection(connection, self._answer))

    def _describe(self, connection: socket.socket, address: tuple[str, int]) -> None:
        with closing(connection):
            _Description(connection, address, self._count_shards)

    def _serve(self, key: selectors.SelectorKey) -> None:
        connection: _Connection = key.data
        sock = key.fileobj
        assert isinstance(sock, socket.socket)
        try:
            with suppress(BlockingIOError):
                if not connection.receive():
                    raise ConnectionResetError
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.send() else 0)
        except (OSError, ProtocolError):
            self._selector.unregister(sock)
            sock.close()
            return
        if wanted != key.events:
            self._selector.modify(sock, wanted, connection)
