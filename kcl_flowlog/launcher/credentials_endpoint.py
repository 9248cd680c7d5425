"""Hands AWS credentials to the daemon: a loopback HTTP server in the form of the container credentials of ECS and EKS.

Each path gives one identity, to who knows the token. Answers come from memory, because the daemon waits for one second
only. Expired credentials are 503, which the daemon tries again. The AWS library for Java 2.33 asks by http only a
loopback address, never through a proxy, and fails at an answer without `Expiration`.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, one_line
from kcl_flowlog.inventory.identity import Keys
from kcl_flowlog.timestamps import utc_second

URI_VARIABLE = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN_VARIABLE = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - a name
CREDENTIAL_VARIABLES = (URI_VARIABLE, TOKEN_VARIABLE)
OWN = "own"
"""The path of the identity of this instance."""

PROVIDER = "ContainerCredentialsProvider"
"""The name in the KCL's properties; variables and profiles can't come first."""

# The daemon asks again after an hour, and goes on with the old answer for a day if nobody answers.
_ASSUMED_LIFE = 86400.0
_REQUEST_TIMEOUT = 1.0
_MOST_CONNECTIONS = 32
_POLL_SECONDS = 0.2


class CredentialsEndpoint:
    """Serves the identities by path, from `start` until `stop`. `clock` returns Unix seconds."""

    def __init__(self, identities: Mapping[str, Callable[[], Keys]], clock: Callable[[], float] = time.time) -> None:
        self._identities = {f"/{path}": keys for path, keys in identities.items()}
        self._clock = clock
        self._token = secrets.token_urlsafe(32)
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen on a free port, and serve in threads. Raises `OSError`."""
        self._server = _Server(self._answer)
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(_POLL_SECONDS,), name="credentials-endpoint", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; do nothing if it never did."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def environment(self, path: str = OWN) -> dict[str, str]:
        """Return the variables with which an AWS library asks for the identity of a path."""
        assert self._server is not None, "The endpoint has not been started."  # noqa: S101
        host, port = self._server.server_address[:2]
        return {URI_VARIABLE: f"http://{host!s}:{port}/{path}", TOKEN_VARIABLE: self._token}

    def _answer(self, path: str, token: str) -> tuple[int, dict[str, str]]:
        """Return status and content."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return 401, {"code": "Unauthorized", "message": "The token is missing or wrong."}
        if path not in self._identities:
            return 404, {"code": "NotFound", "message": "There is no such identity."}
        try:
            keys = self._identities[path]()
        except AWS_ERRORS as error:
            return 503, {"code": "Unavailable", "message": one_line(error)}
        expires_at = keys.expires_at if keys.expires_at is not None else self._clock() + _ASSUMED_LIFE
        answer = {
            "AccessKeyId": keys.access_key,
            "SecretAccessKey": keys.secret_key,
            "Expiration": utc_second(expires_at),
        }
        return 200, {**answer, "Token": keys.token} if keys.token else answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, answer: Callable[[str, str], tuple[int, dict[str, str]]]) -> None:
        class Handler(_Handler):
            def do_GET(self) -> None:
                self.reply(*answer(self.path, self.headers.get("Authorization", "")))

        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(("127.0.0.1", 0), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        # Other users of the machine can connect, too, and must not use up the threads.
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up or stalls is no event."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_TIMEOUT

    def reply(self, status: int, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the path and the answer are the same each time."""
