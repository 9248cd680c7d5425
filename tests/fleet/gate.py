"""A proxy before DynamoDB that can throttle commits, lose their answers, or fail every request."""

from __future__ import annotations

import http.client
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from kcl_flowlog.launcher.leases import CLAIMS

OPEN = "open"
THROTTLING = "throttling"
LOSING_ANSWERS = "losing answers"
FAILING = "failing"

_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "date", "server")


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


_JSON = [("Content-Type", "application/x-amz-json-1.0")]
_THROTTLED = Answer(
    400,
    _JSON,
    b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",'
    b'"message":"The level of configured provisioned throughput for the table was exceeded."}',
)
_FAILED = Answer(
    500, _JSON, b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"Try again."}'
)


class Gate:
    """An HTTP server on `port`, as a context manager. `mode` may change at any time.

    `failed` is the number of requests that it did not answer as DynamoDB would have.
    """

    def __init__(self, behind: int, rng: random.Random) -> None:
        self.mode = OPEN
        self.failed = 0
        self._behind = behind
        self._rng = rng
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.gate = self
        self._server.socket.listen(128)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Gate:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Return the answer of DynamoDB, or the failure that the mode asks for."""
        is_commit = _is_commit(headers, body)
        if self.mode == FAILING:
            self.failed += 1
            return _FAILED
        if self.mode == THROTTLING and is_commit:
            self.failed += 1
            return _THROTTLED
        is_lost = self.mode == LOSING_ANSWERS and is_commit and self._rng.random() < 0.5
        self.failed += is_lost
        answer = _forward(self._behind, path, headers, body)
        return _FAILED if is_lost else answer


def _is_commit(headers: dict[str, str], body: bytes) -> bool:
    """Tell whether a request writes a checkpoint or a claim."""
    is_update = headers.get("X-Amz-Target", "").endswith("UpdateItem")
    return is_update and (b'"checkpoint":{"Value"' in body or CLAIMS.encode() in body)


def _forward(port: int, path: str, headers: dict[str, str], body: bytes) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    except OSError:
        return _FAILED
    finally:
        connection.close()


class _Server(ThreadingHTTPServer):
    gate: Gate
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore the errors of clients that were killed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.gate.answer(self.path, dict(self.headers), body)
        self.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
