"""Which shards of this instance have not been read since its start.

Its own are the shards whose lease rows name its worker id at the start, until another worker takes them, and the
shards that its processors hold. A shard is read once the KCL has delivered a batch to its processor, empty or not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, one_line
from kcl_flowlog.launcher.inbox import HeldShard

log = logging.getLogger(__name__)

INTERVAL = 10.0


class Leases(Protocol):
    """The lease table; see `kcl_flowlog.launcher.leases.LeaseTable`."""

    def shards_of(self, worker_id: str) -> set[str]:
        """Return the shards whose rows name a worker."""


class OwnShards:
    """Follows the shards of a worker id; `shards` returns those that processors hold now."""

    def __init__(
        self,
        leases: Leases,
        worker_id: str,
        shards: Callable[[], Sequence[HeldShard]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leases = leases
        self._worker_id = worker_id
        self._shards = shards
        self._clock = clock
        # Those of the start that wait to be read; None before the lease table has been read.
        self._waiting: set[str] | None = None
        self._read: set[str] = set()
        self._look_at = clock()
        self._is_failing = False

    def step(self) -> None:
        """Note which shards are read, and while some of the start are not, whether they have another owner."""
        self._read.update(shard.shard_id for shard in self._shards() if shard.heartbeat is not None)
        if self._waiting is not None:
            self._waiting -= self._read
        if (self._waiting is None or self._waiting) and self._clock() >= self._look_at:
            self._look_at = self._clock() + INTERVAL
            self._look()

    def unread(self) -> list[str] | None:
        """Return the shards that have not been read since the start; None before the lease table has been read."""
        if self._waiting is None:
            return None
        held = {shard.shard_id for shard in self._shards() if shard.heartbeat is None}
        return sorted((self._waiting | held) - self._read)

    def _look(self) -> None:
        try:
            owned = self._leases.shards_of(self._worker_id)
        except AWS_ERRORS as error:
            if not self._is_failing:
                log.warning(
                    "The lease table can't be read; the instance is not ready before it is known that its shards are"
                    " read",
                    extra={"fields": {"error": one_line(error), "retry_seconds": INTERVAL}},
                )
            self._is_failing = True
            return
        self._is_failing = False
        self._waiting = owned - self._read if self._waiting is None else self._waiting & owned
