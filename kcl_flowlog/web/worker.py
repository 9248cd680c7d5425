"""A thread for work that would hold up the event loop: pages and password hashes.

It does one job at a time. The networks of the clients take turns, so a client
with a hundred jobs delays another client by one job. A job that nobody waits
for any more is not done. All methods belong to the event loop's thread.

What a job raises, everybody who waits for the job gets.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Job(Generic[T]):
    """Work that several clients may wait for. `when_taken` is called just before it begins, or is dropped."""

    def __init__(self, work: Callable[[], T], when_taken: Callable[[], None] = lambda: None) -> None:
        self._work = work
        self._when_taken = when_taken
        self._waiting: list[asyncio.Future[T]] = []
        self._is_taken = False

    def add_client(self) -> asyncio.Future[T]:
        """Return the result for a client. A client that no longer waits cancels it."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future

    def take(self) -> bool:
        """Say whether the job shall be done now: if it was not taken before, and somebody still waits."""
        if self._is_taken:
            return False
        self._is_taken = True
        self._when_taken()
        return not all(future.cancelled() for future in self._waiting)

    def do(self) -> Callable[[], None]:
        """Do the work, in any thread. Returns what hands over the result, in the event loop's thread."""
        try:
            result = self._work()
        except Exception as error:  # noqa: BLE001 # those who wait get it
            failure = error
            return lambda: self._hand_over(lambda future: future.set_exception(failure))
        return lambda: self._hand_over(lambda future: future.set_result(result))

    def _hand_over(self, settle: Callable[[asyncio.Future[T]], None]) -> None:
        for future in self._waiting:
            if not future.done():
                settle(future)


class Worker:
    """Does jobs in a thread, which ends with `stop` or with the process, whichever is first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: OrderedDict[str, deque[Job[object]]] = OrderedDict()
        self._next: queue.SimpleQueue[Job[object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_busy = False

    async def do(self, work: Callable[[], T], network: str) -> T:
        """Do the work when it is the turn of that network."""
        return await self.join(Job(work), network)

    async def join(self, job: Job[T], network: str) -> T:
        """Wait for a job, which begins when it is the turn of any network that has joined it."""
        self._waiting.setdefault(network, deque()).append(job)  # type: ignore[arg-type] # its result is for `job` only
        result = job.add_client()
        self._begin_next()
        return await result

    def stop(self) -> None:
        """End the thread after the job that it does now. The other jobs are dropped."""
        self._waiting.clear()
        self._next.put(None)

    def _begin_next(self) -> None:
        while self._waiting and not self._is_busy:
            network, jobs = self._waiting.popitem(last=False)
            job = jobs.popleft()
            if jobs:
                self._waiting[network] = jobs
            if job.take():
                self._begin(job)

    def _begin(self, job: Job[object]) -> None:
        self._is_busy = True
        if self._thread is None:
            arguments = (self._next, asyncio.get_running_loop(), self._end)
            self._thread = threading.Thread(target=_work, args=arguments, name=self._name, daemon=True)
            self._thread.start()
        self._next.put(job)

    def _end(self, hand_over: Callable[[], None]) -> None:
        hand_over()
        self._is_busy = False
        self._begin_next()


def _work(
    jobs: queue.SimpleQueue[Job[object] | None],
    loop: asyncio.AbstractEventLoop,
    end: Callable[[Callable[[], None]], None],
) -> None:
    while (job := jobs.get()) is not None:
        hand_over = job.do()
        # The loop is closed if the server has stopped meanwhile; then nobody waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(end, hand_over)
