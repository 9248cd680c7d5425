"""A model of DynamoDB, and of the way to it: conditional writes that are applied late, twice, or never.

A request has three moments: it is sent, applied and answered. Tasks pause before the first and the last. What happens
to a request is its fate, which the schedule sets beforehand for the next request of a kind:

- `lost`: never applied; the sender gets an error.
- `unanswered`: applied, and the sender gets an error.
- `late`: the sender waits, gets an error, and the request is applied when the schedule says so, perhaps never.
- `repeated`: applied, the answer is lost, and the SDK's second request is applied and answered.
- `delayed`: the SDK's second request is applied and answered; its first is applied later, or never.
- `throttled`: never applied; the sender gets an answer that says so.
- `stale`: an eventually consistent read returns the row before its last change.

SDK: `RetryableStage` of aws-sdk-java-v2 repeats a request without an answer; `FutureUtils.resolveOrCancelFuture` of the
KCL gives up after a minute, which takes nothing back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.simulation.tasks import pause

Row = dict[str, Any]
Result = TypeVar("Result")

READ_FATES = ("lost", "throttled", "stale")


class ConditionFailed(Exception):
    """A write was not applied, as its condition is not met."""


class Throttled(Exception):
    """DynamoDB had no capacity."""


class Unreachable(Exception):
    """There was no answer: the request may have been applied."""


@dataclass(frozen=True)
class LateRequest:
    """A request on its way, whose sender has given up."""

    sender: str
    kind: str
    apply: Callable[[], object]


@dataclass
class DynamoDb:
    """Tables of rows, and the requests on their way to them."""

    tables: dict[str, dict[str, Row]] = field(default_factory=dict)
    fates: dict[tuple[str, str], str] = field(default_factory=dict)
    late: list[LateRequest] = field(default_factory=list)
    partitioned: set[str] = field(default_factory=set)
    # Each row as it was before its last change, for reads that are eventually consistent.
    _before: dict[tuple[str, str], Row | None] = field(default_factory=dict)

    def row(self, table: str, key: str) -> Row | None:
        """Return a row as it is now."""
        return self.tables.get(table, {}).get(key)

    def rows(self, table: str) -> list[Row]:
        """Return all rows of a table, by key."""
        return [row for _, row in sorted(self.tables.get(table, {}).items())]

    def put(self, table: str, key: str, row: Row | None) -> None:
        """Replace a row; None deletes it."""
        rows = self.tables.setdefault(table, {})
        self._before[table, key] = rows.get(key)
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row

    def read(self, sender: str, kind: str, table: str, key: str, is_consistent: bool) -> Row | None:
        """Read a row; `kind` names the request. Raises `Throttled` or `Unreachable`."""
        pause(f"before {kind}")
        fate = self._fate(sender, kind)
        self._raise_if_refused(sender, fate)
        row = self._before.get((table, key), self.row(table, key)) if fate == "stale" else self.row(table, key)
        if is_consistent and fate == "stale":
            row = self.row(table, key)
        copy = dict(row) if row is not None else None
        pause(f"after {kind}")
        return copy

    def scan(self, sender: str, kind: str, table: str) -> list[Row]:
        """Read all rows of a table, at one moment. Raises `Throttled` or `Unreachable`."""
        pause(f"before {kind}")
        self._raise_if_refused(sender, self._fate(sender, kind))
        rows = [dict(row) for row in self.rows(table)]
        pause(f"after {kind}")
        return rows

    def write(self, sender: str, kind: str, apply: Callable[[], Result]) -> Result:
        """Do a write: `apply` changes a row or raises `ConditionFailed`. Raises `Throttled` or `Unreachable`."""
        pause(f"before {kind}")
        fate = self._fate(sender, kind)
        if fate == "late":
            self.late.append(LateRequest(sender, kind, apply))
            pause(f"waiting for {kind}")
            raise Unreachable
        self._raise_if_refused(sender, fate)
        if fate == "delayed":
            self.late.append(LateRequest(sender, kind, apply))
        if fate in ("repeated", "unanswered"):
            _try(apply)
        if fate == "unanswered":
            raise Unreachable
        try:
            return apply()
        finally:
            pause(f"after {kind}")

    def land(self, sender: str, kind: str) -> bool:
        """Apply the oldest late request of a kind; return whether there is any."""
        for request in self.late:
            if (request.sender, request.kind) == (sender, kind):
                self.late.remove(request)
                _try(request.apply)
                return True
        return False

    def _fate(self, sender: str, kind: str) -> str:
        return self.fates.pop((sender, kind), "")

    def _raise_if_refused(self, sender: str, fate: str) -> None:
        if sender in self.partitioned or fate == "lost":
            raise Unreachable
        if fate == "throttled":
            raise Throttled


def _try(apply: Callable[[], object]) -> None:
    with contextlib.suppress(ConditionFailed):
        apply()
