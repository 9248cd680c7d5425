"""A proxy before DynamoDB that keeps a checkpoint back until the shard's next holder has claimed it."""

from __future__ import annotations

import json
import threading

from tests.fleet.gate import Answer, Gate, Request

_FAILED = Answer(500, [("Content-Type", "application/x-amz-json-1.0")], b'{"__type":"InternalServerError"}')
# Seconds; the KCL gives the request up after some three minutes, and the next claim comes minutes later.
_LONGEST = 1200.0
RENEWALS_WAIT = 20.0
"""Seconds; keep `failoverTimeMillis` above."""


class LateCheckpoint(Gate):
    """Once `armed`, holds the next checkpoint, and fails all others of its shard until it has arrived.

    It arrives right after the next claim in the same row, with the status `arrived_with`. Renewals of the lease wait
    for it, but not until the lease expires, as the claim itself may wait for a renewal.
    """

    def __init__(self, behind: int) -> None:
        super().__init__(behind)
        self.armed = False
        self.arrived_with: int | None = None
        self.arrived = threading.Event()
        self._held: str | None = None
        self._claimed = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> LateCheckpoint:
        super().__enter__()
        return self

    def answer(self, request: Request) -> Answer:
        """Return the answer of DynamoDB, at once or late."""
        if request.operation != "UpdateItem":
            return super().answer(request)
        shard_id = json.loads(request.body)["Key"].get("leaseKey", {}).get("S", "")
        if self._is_to_be_held(shard_id, request):
            assert self._claimed.wait(_LONGEST)
            answer = super().answer(request)
            self.arrived_with = answer.status
            self.arrived.set()
            return answer
        if shard_id == self._held and not self.arrived.is_set() and request.is_checkpoint:
            return _FAILED
        if shard_id == self._held and request.is_renewal:
            self.arrived.wait(RENEWALS_WAIT)
        answer = super().answer(request)
        if shard_id == self._held and request.is_claim and answer.status == 200:
            self._claimed.set()
            # The claim's answer comes after the late checkpoint, so the new holder has done nothing yet.
            assert self.arrived.wait(_LONGEST)
        return answer

    def _is_to_be_held(self, shard_id: str, request: Request) -> bool:
        with self._lock:
            is_first = self.armed and self._held is None and request.is_checkpoint
            if is_first:
                self._held = shard_id
            return is_first
