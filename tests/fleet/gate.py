"""A proxy before DynamoDB or Kinesis for one member, so that its requests can fail while those of others don't.

It speaks HTTP/1.1, and HTTP/2 without TLS for the KCL's Kinesis client. Faults lay rules on it; without a rule, every
request is forwarded. A rule decides by what is seen from outside: the operation and the body of a request. A request
that is held goes on even if its client has gone: that is how a late write comes about.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

from hypercorn.asyncio import serve
from hypercorn.config import Config

_HOP_BY_HOP = frozenset(
    ("host", "connection", "keep-alive", "transfer-encoding", "content-length", "expect", "date", "server")
)
# Requests that a gate can hold at the same time.
_THREADS = 200


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Request:
    """An HTTP request to AWS."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body

    @property
    def operation(self) -> str:
        """The operation, such as `UpdateItem`."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    @cached_property
    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self.body)
        return fields

    @property
    def _is_update_of_lease(self) -> bool:
        return self.operation == "UpdateItem" and "leaseKey" in self._fields["Key"]

    @property
    def is_checkpoint(self) -> bool:
        """Whether the KCL writes a checkpoint."""
        return self._is_update_of_lease and "checkpoint" in self._fields.get("AttributeUpdates", {})

    @property
    def is_renewal(self) -> bool:
        """Whether the KCL renews a lease."""
        updates = self._fields.get("AttributeUpdates", {}) if self._is_update_of_lease else {}
        return "leaseCounter" in updates and "checkpoint" not in updates

    @property
    def is_claim(self) -> bool:
        """Whether the product adds to a lease row; the KCL updates these rows in an older way."""
        return self._is_update_of_lease and "UpdateExpression" in self._fields

    @property
    def is_commit(self) -> bool:
        """Whether the request writes a checkpoint or a claim."""
        return self.is_checkpoint or self.is_claim


Forward = Callable[[], Answer]
# Gets a function that forwards the request, and an event that is set when the rule is lifted.
Deed = Callable[[Forward, threading.Event], Answer]
# Returns what to do with a request, or None if the rule does not concern it.
Rule = Callable[[Request], Deed | None]


class LaidRule:
    """A rule on a gate, until it is lifted."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.lifted = threading.Event()
        # The number of requests that the rule has concerned.
        self.requests = 0


class Gate:
    """The proxy on `port`, as a context manager. `behind` is the port of the stand-in."""

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._rules: list[LaidRule] = []
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gate")
        self._end = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True, name="gate")

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def rule(self, rule: Rule) -> Iterator[LaidRule]:
        """Lay a rule on the gate while the block runs. The first rule that concerns a request decides."""
        laid = LaidRule(rule)
        self._rules = [*self._rules, laid]
        try:
            yield laid
        finally:
            self._rules = [other for other in self._rules if other is not laid]
            laid.lifted.set()

    def answer(self, request: Request) -> Answer:
        """Return the answer of the stand-in, or what the first rule that concerns the request makes of it."""
        for laid in self._rules:
            deed = laid.rule(request)
            if deed is not None:
                laid.requests += 1
                return deed(lambda: self._forward(request), laid.lifted)
        return self._forward(request)

    def _forward(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._behind, timeout=120)
        headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
        try:
            connection.request("POST", request.path, request.body, headers)
            answer = connection.getresponse()
            kept = [(name.lower(), value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
            return Answer(answer.status, kept, answer.read())
        except (OSError, http.client.HTTPException) as error:
            return Answer(503, [], repr(error).encode())
        finally:
            connection.close()

    # The server

    def _run(self) -> None:
        asyncio.run(self._serve_until_end())

    async def _serve_until_end(self) -> None:
        config = Config()
        config.bind = [f"fd://{self._listener.detach()}"]
        config.graceful_timeout = 0.0
        config.keep_alive_timeout = 600.0
        config.errorlog = None
        loop = asyncio.get_running_loop()
        # At the end, hypercorn cancels the tasks of open connections, and asyncio would print each.
        loop.set_exception_handler(lambda loop, context: None)
        app: Any = self._serve
        await serve(app, config, mode="asgi", shutdown_trigger=lambda: loop.run_in_executor(self._pool, self._end.wait))

    async def _serve(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        body = bytearray()
        is_complete = False
        while not is_complete:
            message = await receive()
            body += message.get("body", b"")
            is_complete = not message.get("more_body", False)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        request = Request(scope["path"], headers, bytes(body))
        answer = await asyncio.get_running_loop().run_in_executor(self._pool, self.answer, request)
        lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        lines.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": lines})
        await send({"type": "http.response.body", "body": answer.body})


class Gates(NamedTuple):
    """The gates of one member."""

    dynamodb: Gate
    kinesis: Gate
