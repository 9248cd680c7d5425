"""The thread for work that would hold up the event loop, and its turns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import pytest

from kcl_flowlog.web.worker import Job, TooManyWaiting, Worker
from tests.support.waiting import PATIENCE


class Story:
    """Submits jobs while the worker is busy, and notes the order in which it does them."""

    def __init__(self, max_waiting: int | None = None) -> None:
        self.done: list[str] = []
        self.worker = Worker("test", max_waiting)
        self._may_go_on = threading.Event()

    async def begin(self) -> None:
        """Make the worker busy."""
        self._blocker = asyncio.ensure_future(self.worker.do(lambda: self._may_go_on.wait(PATIENCE), "blocker"))
        await asyncio.sleep(0)

    async def submit(self, name: str, network: str) -> asyncio.Task[None]:
        task = asyncio.ensure_future(self.worker.do(lambda: self.done.append(name), network))
        await asyncio.sleep(0)
        return task

    async def end(self, *tasks: asyncio.Future[Any]) -> None:
        """Let the worker do all jobs."""
        self._may_go_on.set()
        await asyncio.gather(self._blocker, *tasks, return_exceptions=True)


@pytest.fixture
def story() -> Iterator[Story]:
    story = Story()
    yield story
    story.worker.stop()


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_networks_take_turns(story: Story) -> None:
    """A network with many jobs delays another by one job each."""

    async def submit() -> None:
        await story.begin()
        names = ["a1", "a2", "a3", "b1", "b2", "c1"]
        await story.end(*[await story.submit(name, name[0]) for name in names])

    run(submit)

    assert ["a1", "b1", "c1", "a2", "b2", "a3"] == story.done


@pytest.mark.parametrize(
    ("come", "passed", "refused"),
    [
        ("", "", ""),
        ("a", "a", ""),
        ("abc", "abc", ""),
        ("aaaaa", "aaaaa", ""),
        # A network waits for one turn of each other network, not for all of their turns.
        ("aaaab", "abaaa", ""),
        ("aaabc", "abcaa", ""),
        # Beyond the limit, a network that has as many waiting as any other is refused at once …
        ("aaaaaa", "aaaaa", "a"),
        ("abcdef", "abcde", "f"),
        ("aabbccc", "abcab", "cc"),
        # … and a network with fewer takes the last place of the network that has most.
        ("aaaaab", "abaaa", "a"),
        ("aaaaabc", "abcaa", "aa"),
        ("aaaaabbb", "ababa", "aab"),
    ],
)
def test_a_limited_number_waits(come: str, passed: str, refused: str) -> None:
    """Four may wait. The first to come has its turn while all others come."""
    worker, may_go_on = Worker("test", max_waiting=4), threading.Event()
    has_passed: list[str] = []
    was_refused: list[str] = []

    def work(network: str) -> None:
        may_go_on.wait(PATIENCE)
        has_passed.append(network)

    async def visit(network: str) -> None:
        try:
            await worker.do(partial(work, network), network)
        except TooManyWaiting:
            was_refused.append(network)

    async def visit_all() -> None:
        tasks = []
        for network in come:
            tasks.append(asyncio.ensure_future(visit(network)))
            # It waits, or is refused, and so is whoever gives way to it.
            for _ in range(3):
                await asyncio.sleep(0)
        may_go_on.set()
        await asyncio.gather(*tasks)
        worker.stop()

    run(visit_all)

    assert (passed, refused) == ("".join(has_passed), "".join(was_refused))


def test_clients_that_have_gone_take_no_place() -> None:
    """They are neither counted nor refused."""
    story = Story(max_waiting=2)

    async def submit() -> None:
        await story.begin()
        gone = [await story.submit(name, "a") for name in ("gone 1", "gone 2")]
        for task in gone:
            task.cancel()
        waiting = [await story.submit(name, "a") for name in ("1", "2")]
        with pytest.raises(TooManyWaiting):
            await story.worker.do(lambda: story.done.append("3"), "a")
        await story.end(*gone, *waiting)
        story.worker.stop()

    run(submit)

    assert ["1", "2"] == story.done


def test_a_job_that_nobody_waits_for_is_not_done(story: Story) -> None:
    """Its client has gone."""

    async def submit() -> None:
        await story.begin()
        gone, waiting = await story.submit("gone", "a"), await story.submit("waiting", "a")
        gone.cancel()
        await story.end(gone, waiting)

    run(submit)

    assert ["waiting"] == story.done


def test_a_shared_job_is_done_once_at_the_first_turn_of_its_clients(story: Story) -> None:
    """All get the result, though one of them is far behind in its own network."""
    results: list[str] = []
    job = Job(lambda: story.done.append("shared") or "result")  # type: ignore[func-returns-value]

    async def submit() -> None:
        await story.begin()
        tasks: list[asyncio.Future[Any]] = [await story.submit(name, "a") for name in ("a1", "a2")]
        shared = [asyncio.ensure_future(story.worker.join(job, network)) for network in ("a", "b")]
        await asyncio.sleep(0)
        await story.end(*tasks, *shared)
        results.extend(task.result() for task in shared)

    run(submit)

    assert ["a1", "shared", "a2"] == story.done
    assert ["result"] * 2 == results


def test_a_job_that_raises_costs_only_those_who_wait_for_it(story: Story) -> None:
    """They get the exception; the thread goes on."""
    results: list[object] = []

    async def submit() -> None:
        with pytest.raises(ZeroDivisionError):
            await story.worker.do(lambda: 1 / 0, "a")
        results.append(await story.worker.do(lambda: "next", "a"))

    run(submit)

    assert ["next"] == results


def test_a_stop_drops_the_jobs_that_have_not_begun(story: Story) -> None:
    """The thread ends, also if the loop is closed before the job."""
    before = set(threading.enumerate())

    async def submit() -> None:
        await story.begin()
        await story.submit("waiting", "a")
        story.worker.stop()

    run(submit)
    (thread,) = set(threading.enumerate()) - before
    story._may_go_on.set()
    thread.join(PATIENCE)

    assert not thread.is_alive()
    assert [] == story.done
