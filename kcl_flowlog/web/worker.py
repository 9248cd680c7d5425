"""A thread for work that would hold up the event loop: pages and password hashes.

It does one job at a time. The networks of the clients take turns, so a client
with a hundred jobs delays another client by one job. A job that nobody waits
for any more is not done. All methods belong to the event loop's thread.

The number of clients that wait can be limited. Beyond the limit, the network
with the most clients waiting loses the newest of them: it gets
`TooManyWaiting`. What a job raises, everybody who waits for the job gets.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class TooManyWaiting(Exception):
    """A job was not done, because too many clients wait."""


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
        return not all(future.done() for future in self._waiting)

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


@dataclass(frozen=True)
class _Waiter:
    """A client that waits for a job, or has gone."""

    job: Job[object]
    result: asyncio.Future[object]

    @property
    def still_waits(self) -> bool:
        return not self.result.done()


class Worker:
    """Does jobs in a thread, which ends with `stop` or with the process, whichever is first.

    At most `max_waiting` clients wait; None means any number.
    """

    def __init__(self, name: str, max_waiting: int | None = None) -> None:
        self._name = name
        self._max_waiting = max_waiting
        # The next turn is for the first network. No queue is empty.
        self._queues: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        self._next: queue.SimpleQueue[Job[object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_busy = False
        self._turn_of = ""

    async def do(self, work: Callable[[], T], network: str) -> T:
        """Do the work when it is the turn of that network. Raises `TooManyWaiting`, and what the work raises."""
        return await self.join(Job(work), network)

    async def join(self, job: Job[T], network: str) -> T:
        """Wait for a job, which begins when it is the turn of any network that has joined it."""
        if self._is_full() and not self._make_room(network):
            raise TooManyWaiting
        result = job.add_client()
        # Its result is for `job` only.
        waiter = _Waiter(job, result)  # type: ignore[arg-type]
        self._queues.setdefault(network, deque()).append(waiter)
        self._begin_next()
        return await result

    def stop(self) -> None:
        """End the thread after the job that it does now. The other jobs are dropped."""
        self._queues.clear()
        self._next.put(None)

    def _is_full(self) -> bool:
        return self._is_busy and self._max_waiting is not None and sum(self._sizes().values()) >= self._max_waiting

    def _sizes(self) -> Mapping[str, int]:
        """Return how many clients of each network wait."""
        return {network: sum(waiter.still_waits for waiter in waiters) for network, waiters in self._queues.items()}

    def _make_room(self, network: str) -> bool:
        """Refuse the newest client of the network with the most, unless `network` would then have as many."""
        sizes = self._sizes()
        largest = max(sizes, key=sizes.__getitem__, default=network)
        if sizes.get(largest, 0) <= sizes.get(network, 0) + 1:
            return False
        newest = next(waiter for waiter in reversed(self._queues[largest]) if waiter.still_waits)
        self._queues[largest].remove(newest)
        newest.result.set_exception(TooManyWaiting())
        return True

    def _begin_next(self) -> None:
        while self._queues and not self._is_busy:
            network, waiters = self._queues.popitem(last=False)
            job = waiters.popleft().job
            if waiters:
                self._queues[network] = waiters
            if job.take():
                self._begin(job, network)

    def _begin(self, job: Job[object], network: str) -> None:
        self._is_busy = True
        self._turn_of = network
        if self._thread is None:
            arguments = (self._next, asyncio.get_running_loop(), self._end)
            self._thread = threading.Thread(target=_work, args=arguments, name=self._name, daemon=True)
            self._thread.start()
        self._next.put(job)

    def _end(self, hand_over: Callable[[], None]) -> None:
        hand_over()
        self._is_busy = False
        # Also the networks that came during the turn are before the network that had it.
        if self._turn_of in self._queues:
            self._queues.move_to_end(self._turn_of)
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
