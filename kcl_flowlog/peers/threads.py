"""Does several pieces of work at once, in a bounded number of threads, and waits a bounded time for them.

A thread that hangs, such as in the name service, keeps its place until it ends; nobody waits for it, not even the end
of the process. What work raises, the caller gets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Threads:
    """At most `most` threads at once, over all calls."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    def each(
        self, work: Callable[[Item], Result], items: Sequence[Item], timeout: float
    ) -> list[tuple[Item, Result | None]]:
        """Do the work for each item; return the items with their results, None if too late or no thread is free."""
        futures = [self._begin(work, item) for item in items]
        wait(futures, timeout)
        return [(item, future.result() if future.done() else None) for item, future in zip(items, futures, strict=True)]

    def _begin(self, work: Callable[[Item], Result], item: Item) -> Future[Result | None]:
        future: Future[Result | None] = Future()
        if not self._free.acquire(blocking=False):
            future.set_result(None)
            return future
        # Python waits for threads that are not daemons, and for those of its executors.
        threading.Thread(target=self._do, args=(work, item, future), name="peer", daemon=True).start()
        return future

    def _do(self, work: Callable[[Item], Result], item: Item, future: Future[Result | None]) -> None:
        try:
            result = work(item)
        except Exception as error:  # noqa: BLE001 # the caller gets it
            future.set_exception(error)
        else:
            future.set_result(result)
        finally:
            self._free.release()
