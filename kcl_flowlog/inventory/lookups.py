"""Looks up in EC2 the interfaces that only records name, without ever listing all of them.

Records may name any number of interfaces, and some are made up. So the number of requests is bounded whatever they
name: a round a minute, five requests a round to each source. An id that EC2 does not know is remembered, and not
looked up again. What a round leaves out comes with the next refresh of the inventory.

`request` may be called from any thread, `find` from one thread.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from kcl_flowlog.counting.subnets import Interface, Inventory
from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_denied, one_line
from kcl_flowlog.inventory.ec2 import MOST_IDS, find_interfaces

log = logging.getLogger(__name__)

ROUND_INTERVAL = 60.0
MOST_REQUESTS = 5
"""How many requests a round makes to each source."""
# An id is looked up again this often if a source does not answer.
_MOST_TRIES = 3
_MOST_PENDING = 5000
_MOST_MISSING = 20_000
_FIRST_PAUSE, _LAST_PAUSE = 120.0, 900.0


class Lookups:
    """The ids to look up, and those that EC2 does not know. Both clocks are in seconds; `clock` is Unix time."""

    def __init__(
        self, readers: Iterable[SourceReader], clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self._sources = [_Source(reader, clock, monotonic) for reader in readers]
        self._monotonic = monotonic
        self._lock = threading.Lock()
        # The number of tries so far by id, and the ids that no source has; the oldest come first.
        self._pending: dict[str, int] = {}
        self._missing: dict[str, None] = {}
        self._next_round_at = monotonic()
        self._is_full = False

    def request(self, interface_ids: Iterable[str]) -> bool:
        """Look up these interfaces in the next round; return whether there is anything to do."""
        with self._lock:
            for interface_id in interface_ids:
                if len(self._pending) >= _MOST_PENDING:
                    self._note_full()
                    break
                if interface_id not in self._missing:
                    self._pending.setdefault(interface_id, 0)
            return bool(self._pending)

    @property
    def due_at(self) -> float:
        """When the next round is due, by the monotonic clock; infinite if there is nothing to look up."""
        return self._next_round_at if self._pending else math.inf

    def find(self, inventory: Inventory) -> list[Interface]:
        """Make a round; return the interfaces that the inventory lacks and EC2 has."""
        self._next_round_at = self._monotonic() + ROUND_INTERVAL
        self._forget({interface.interface_id for interface in inventory.interfaces})
        unlisted = {source.key for source in inventory.sources if not source.interfaces_listed}
        sources = [source for source in self._sources if source.key not in unlisted]
        return [interface for batch in self._batches() for interface in self._look_up(batch, sources)]

    def _batches(self) -> Iterator[list[str]]:
        with self._lock:
            ids = list(self._pending)[: MOST_REQUESTS * MOST_IDS]
        for start in range(0, len(ids), MOST_IDS):
            yield ids[start : start + MOST_IDS]

    def _look_up(self, batch: Sequence[str], sources: Iterable[_Source]) -> list[Interface]:
        found: list[Interface] = []
        rest, has_answer_of_all = set(batch), True
        for source in sources:
            if not rest:
                break
            answer = source.find(sorted(rest))
            if answer is None:
                has_answer_of_all = False
                continue
            found += answer
            rest.difference_update(interface.interface_id for interface in answer)
        self._forget(set(batch) - rest)
        self._note_not_found(rest, has_answer_of_all)
        log.debug("Looked up interfaces in EC2", extra={"fields": {"found": len(found), "not_found": len(rest)}})
        return found

    def _forget(self, interface_ids: Collection[str]) -> None:
        with self._lock:
            for interface_id in [known for known in self._pending if known in interface_ids]:
                del self._pending[interface_id]

    def _note_not_found(self, interface_ids: Iterable[str], has_answer_of_all: bool) -> None:
        with self._lock:
            for interface_id in sorted(interface_ids):
                # At the end again, so that others have their turn.
                tries = self._pending.pop(interface_id) + 1
                if has_answer_of_all or tries >= _MOST_TRIES:
                    self._missing[interface_id] = None
                else:
                    self._pending[interface_id] = tries
            for oldest in list(self._missing)[: max(0, len(self._missing) - _MOST_MISSING)]:
                del self._missing[oldest]
            self._is_full = self._is_full and bool(self._pending)

    def _note_full(self) -> None:
        if not self._is_full:
            self._is_full = True
            log.warning(
                "Records name more unknown interfaces than can be looked up; the next refresh of the inventory brings"
                " those that exist",
                extra={"fields": {"pending": len(self._pending)}},
            )


class _Source:
    """An account and region with an EC2 client, which rests after a failure."""

    def __init__(self, reader: SourceReader, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self.key = reader.source.key
        self._reader = reader
        self._clock = clock
        self._monotonic = monotonic
        self._client: Any = None
        self._rests_until = monotonic()
        self._pause = _FIRST_PAUSE

    def find(self, interface_ids: Sequence[str]) -> list[Interface] | None:
        """Return those of the interfaces that are here; None if EC2 does not answer now."""
        if self._monotonic() < self._rests_until:
            return None
        try:
            found = find_interfaces(self._open(), self._reader.source, interface_ids, self._clock())
        except AWS_ERRORS as error:
            self._rest(error)
            # A source that permits nothing has no answer later either.
            return [] if is_denied(error) else None
        self._pause = _FIRST_PAUSE
        return found

    def _open(self) -> Any:
        if self._client is None:
            _, self._client = self._reader.open()
        return self._client

    def _rest(self, error: Exception) -> None:
        log.warning(
            "Cannot look up interfaces in EC2; trying again later",
            extra={"fields": {"source": self.key, "error": one_line(error), "retry_seconds": self._pause}},
        )
        self._client = None
        self._rests_until = self._monotonic() + self._pause
        self._pause = min(2 * self._pause, _LAST_PAUSE)
