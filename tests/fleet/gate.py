"""A gate before DynamoDB: lets all through, or throttles commits, or loses their answers, or fails everything."""

from __future__ import annotations

import http.client
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kcl_flowlog.launcher.leases import CLAIMS

OPEN = "open"
THROTTLED = "throttled"
FORGETFUL = "forgetful"
FAILING = "failing"

_THROTTLING = (
    b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",'
    b'"message":"The level of configured provisioned throughput for the table was exceeded."}'
)
_FAILURE = b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"Try again."}'
_JSON = [("Content-Type", "application/x-amz-json-1.0")]
_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "date", "server")


class Gate:
    """An HTTP server on `port`, as a context manager; `mode` may be set at any time."""

    def __init__(self, behind: int, rng: random.Random) -> None:
        self.mode = OPEN
        # How many requests were not answered as DynamoDB would have.
        self.failed = 0
        self._rng = rng
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, answer = gate.pass_on(behind, self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that was killed is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.socket.listen(128)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Gate:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def pass_on(
        self, port: int, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body of the answer."""
        is_update = headers.get("X-Amz-Target", "").endswith("UpdateItem")
        is_checkpoint = is_update and b'"checkpoint":{"Value"' in body
        is_claim = is_update and CLAIMS.encode() in body
        is_ours = is_checkpoint or is_claim
        is_throttled = self.mode == THROTTLED and is_ours
        is_forgotten = self.mode == FORGETFUL and is_ours and self._rng.random() < 0.5
        is_failed = self.mode == FAILING
        self.failed += is_throttled or is_forgotten or is_failed
        if is_throttled:
            return 400, _JSON, _THROTTLING
        if is_failed:
            return 500, _JSON, _FAILURE
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            passed_on = answer.status, answer.getheaders(), answer.read()
            return (500, _JSON, _FAILURE) if is_forgotten else passed_on
        except OSError:
            return 500, _JSON, _FAILURE
        finally:
            connection.close()
