"""The gates of a fleet: which requests a rule concerns, and what their clients get."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.fleet import rules
from tests.fleet.gate import Gate, Request
from tests.support.waiting import PATIENCE, eventually

ROW = {"Key": {"leaseKey": {"S": "shardId-000000000000"}}}
CHECKPOINT = {**ROW, "AttributeUpdates": {"leaseCounter": {}, "checkpoint": {"Value": {"S": "7"}}}}
RENEWAL = {**ROW, "AttributeUpdates": {"leaseCounter": {"Value": {"N": "8"}}}}
CLAIM = {**ROW, "UpdateExpression": "SET claims = :after"}
LOCK = {"Key": {"key": {"S": "Leader"}}, "UpdateExpression": "SET x = :x"}


@pytest.mark.parametrize(
    ("expected", "operation", "fields"),
    [
        (["is_checkpoint", "is_commit"], "UpdateItem", CHECKPOINT),
        (["is_renewal"], "UpdateItem", RENEWAL),
        (["is_claim", "is_commit"], "UpdateItem", CLAIM),
        ([], "UpdateItem", LOCK),
        ([], "GetItem", ROW),
    ],
)
def test_requests_are_told_apart_from_outside(expected: list[str], operation: str, fields: dict[str, object]) -> None:
    """Operation, table and kind of update tell checkpoints, renewals and claims apart."""
    request = Request("/", {"x-amz-target": f"DynamoDB.{operation}"}, json.dumps(fields).encode())

    kinds = ("is_checkpoint", "is_renewal", "is_claim", "is_commit")

    assert expected == [kind for kind in kinds if getattr(request, kind)]


class _Backend(BaseHTTPRequestHandler):
    """Answers with the body of the request, and keeps it."""

    protocol_version = "HTTP/1.1"
    received: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def received() -> list[bytes]:
    return []


@pytest.fixture
def gate(received: list[bytes]) -> Iterator[Gate]:
    handler = type("Handler", (_Backend,), {"received": received})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Gate(server.server_address[1]) as gate:
            yield gate
        server.shutdown()


def _post(gate: Gate, body: bytes, operation: str = "UpdateItem") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=PATIENCE)
    try:
        connection.request("POST", "/", body, {"X-Amz-Target": f"A.{operation}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_rule_holds_until_it_is_lifted(gate: Gate, received: list[bytes]) -> None:
    """Without a rule requests pass; with a rule they don't, and it counts them."""
    with gate.rule(rules.fail_all) as laid:
        status, _ = _post(gate, b"{}")

    assert (500, 1) == (status, laid.requests)
    assert (200, b"{}") == _post(gate, b"{}")
    assert [b"{}"] == received


def test_a_lost_answer_is_a_stored_request(gate: Gate, received: list[bytes]) -> None:
    """The stand-in gets the request whose client gets an error."""
    body = json.dumps(CHECKPOINT).encode()
    statuses = set()
    with gate.rule(rules.lose_answers(random.Random(1))):
        for _ in range(8):
            statuses.add(_post(gate, body)[0])

    assert {200, 500} == statuses
    assert [body] * 8 == received


def test_a_held_request_arrives_after_its_client_has_gone(gate: Gate, received: list[bytes]) -> None:
    """This is a late write: nobody waits for its answer, and the others pass in the meantime."""
    body = json.dumps(CHECKPOINT).encode()
    arrived = threading.Event()
    with gate.rule(rules.hold_first(lambda request: request.is_checkpoint, arrived)):
        client = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=PATIENCE)
        client.request("POST", "/", body, {"X-Amz-Target": "A.UpdateItem"})
        assert arrived.wait(PATIENCE)
        client.close()

        assert (200, body) == _post(gate, body)
        assert [body] == received

    assert eventually(lambda: received == [body, body])


def test_reads_fail_in_several_ways(gate: Gate) -> None:
    """GetRecords gets every kind of error, and nothing else does."""
    with gate.rule(rules.fail_reads(random.Random(1))):
        reads = {_post(gate, b"{}", "GetRecords") for _ in range(20)}
        other = _post(gate, b"{}", "GetShardIterator")

    kinds = {json.loads(body).get("__type", "") for _, body in reads}
    assert {"", "ExpiredIteratorException", "ProvisionedThroughputExceededException", "InternalFailure"} == kinds
    assert (200, b"{}") == other
