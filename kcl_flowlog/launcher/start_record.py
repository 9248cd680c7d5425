"""The start record: which start of an instance may act under its worker id.

One item for each worker id in the table of coordinator state, with a nonce of the start and a beat number. A start
becomes the current start by a conditional write, and only then may it claim shards. Every start makes a nonce up, so
two starts are never taken for one, even with equal worker ids: if a state directory was copied, or if an instance was
silent until another took its place.

Before a start takes over from another, that start must have ended: its lock on the state directory is held by this
start now, or its beat stands still. If this is wrong, the earlier start notices within seconds; it can commit nothing
in the meantime (docs/decisions.md).

A live start under the same worker id is a `ConfigError`; DynamoDB's failures are `AWS_ERRORS`. Keeps no thread; see
`kcl_flowlog.launcher.beats`.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS
from kcl_flowlog.launcher.coordinator_table import CoordinatorTable

log = logging.getLogger(__name__)

BEAT_INTERVAL = 3.0
"""Seconds between two beats."""

# Longer than the gap that one failing beat leaves, whose two requests may take 8 s each.
_STANDSTILL = 20.0
# If DynamoDB or this process was silent in between, it has not seen enough.
_LEAST_READS = 10
# A start that has ended can have had one last beat under way.
_MOVES_OF_LIFE = 2


class _Seen(NamedTuple):
    """A start of another nonce, and since when its beat stands still."""

    nonce: str
    beat: str
    since: float
    reads: int = 1
    moves: int = 0


class StartRecord:
    """The record of one start; `lock` is the identity of its lock, empty if unknown, and `host` names the machine."""

    def __init__(
        self,
        table: CoordinatorTable,
        worker_id: str,
        lock: str,
        host: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._worker_id = worker_id
        self._lock = lock
        self._host = host
        self._clock = clock
        self._key = f"flowlog-instance/{worker_id}"
        self._nonce = secrets.token_hex(4)
        self._beats = 0
        self._seen: _Seen | None = None

    @property
    def worker_id(self) -> str:
        """The worker id."""
        return self._worker_id

    def begin(self) -> bool:
        """Try to become the current start; return whether this is the current start. Call it until it is.

        Raises `ConfigError` if another start with this worker id is alive.
        """
        found = self._table.read(self._key).item
        if found is None:
            return self._table.put(self._key, self._item())
        if found["nonce"] == self._nonce:
            return True
        has_ended = bool(self._lock) and found.get("lock") == self._lock
        if not has_ended and not self._stands_still(found):
            return False
        unchanged = {"nonce": found["nonce"], "beat": found["beat"]}
        return self._table.put(self._key, self._item(), replaces=unchanged)

    def _stands_still(self, found: dict[str, str]) -> bool:
        """Return whether the beat has stood still for long enough. Raises `ConfigError` if it has moved."""
        now, seen = self._clock(), self._seen
        if seen is None or seen.nonce != found["nonce"]:
            self._seen = _Seen(found["nonce"], found["beat"], now)
            log.info(
                "Waiting whether the last start of this instance, which did not stop in order, is still running",
                extra={"fields": {"worker_id": self._worker_id, "host": found["host"], "seconds": _STANDSTILL}},
            )
            return False
        if seen.beat == found["beat"]:
            self._seen = seen._replace(reads=seen.reads + 1)
            return now - seen.since >= _STANDSTILL and self._seen.reads >= _LEAST_READS
        self._seen = _Seen(found["nonce"], found["beat"], now, moves=seen.moves + 1)
        if self._seen.moves >= _MOVES_OF_LIFE:
            raise ConfigError(
                f"Another running instance, on host {found['host']}, has the worker id {self._worker_id}: its state"
                " directory is a copy of this one, or this one of it; give each instance its own --state-dir."
            )
        return False

    def is_current(self) -> bool:
        """Return whether no later start has taken over."""
        found = self._table.read(self._key).item
        return found is not None and found["nonce"] == self._nonce

    def beat(self) -> bool:
        """Give a sign of life; return False if a later start has taken over."""
        self._beats += 1
        return self._table.put(self._key, self._item(), replaces={"nonce": self._nonce})

    def end(self) -> None:
        """Delete the record, so that the next start need not wait. Call it only while no daemon runs."""
        try:
            self._table.delete(self._key, {"nonce": self._nonce})
        except AWS_ERRORS as error:
            log.warning(
                "Start record not deleted; a start on another machine will wait a little",
                extra={"fields": {"table": self._table.name, "error": error}},
            )

    def _item(self) -> dict[str, str]:
        return {"nonce": self._nonce, "beat": str(self._beats), "lock": self._lock, "host": self._host}
