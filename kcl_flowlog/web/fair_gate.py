"""Turns at something that one thread may do at a time, shared fairly between clients.

Turns go round the clients, so a client that comes once waits for at most one
turn of each other client. Places to wait are few, because each takes a thread
of the server: if none is free, the client with the most threads waiting loses
the newest of them. Knows nothing of what a turn is for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(eq=False)
class _Waiter:
    decided: threading.Event = field(default_factory=threading.Event)
    has_turn: bool = False

    def decide(self, has_turn: bool) -> None:
        self.has_turn = has_turn
        self.decided.set()


class FairGate:
    """Gives turns. At most `max_waiting` threads wait. Safe to use from several threads."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._is_taken = False
        # The next turn is for the first client. No queue is empty.
        self._queues: OrderedDict[str, deque[_Waiter]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        return sum(map(len, self._queues.values()))

    @contextmanager
    def turn(self, client: str) -> Iterator[bool]:
        """Wait for a turn, and hold it within the context. Gives False, mostly at once, if too many wait."""
        if not self._enter(client):
            yield False
            return
        try:
            yield True
        finally:
            self._leave(client)

    def _enter(self, client: str) -> bool:
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            if self.waiting >= self._max_waiting and not self._make_room(client):
                return False
            waiter = _Waiter()
            self._queues.setdefault(client, deque()).append(waiter)
        waiter.decided.wait()
        return waiter.has_turn

    def _make_room(self, client: str) -> bool:
        """Refuse the newest thread of the client with the most, unless `client` would then have as many."""
        if not self._queues:
            return False
        longest = max(self._queues.values(), key=len)
        if len(longest) <= len(self._queues.get(client, ())) + 1:
            return False
        longest.pop().decide(has_turn=False)
        return True

    def _leave(self, client: str) -> None:
        with self._lock:
            if client in self._queues:
                self._queues.move_to_end(client)
            if not self._queues:
                self._is_taken = False
                return
            following, queue = next(iter(self._queues.items()))
            waiter = queue.popleft()
            if not queue:
                del self._queues[following]
        waiter.decide(has_turn=True)
