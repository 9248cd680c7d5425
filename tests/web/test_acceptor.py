"""Accepting connections while descriptors are missing, on a socket that fails as ordered."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from typing import cast

import pytest

from kcl_flowlog.web.acceptor import Acceptor
from kcl_flowlog.web.occasional_warning import OccasionalWarning


class FakeListening:
    """Returns or raises what stands next in `outcomes`; then it would block."""

    def __init__(self, outcomes: Sequence[object]) -> None:
        self.outcomes = list(outcomes)

    def accept(self) -> tuple[object, tuple[str, int]]:
        outcome = self.outcomes.pop(0) if self.outcomes else BlockingIOError()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome, ("192.0.2.1", 1)

    def setblocking(self, flag: bool) -> None:
        pass

    def close(self) -> None:
        pass


class FakeLoop:
    """Notes whether somebody reads the socket, and what is due later."""

    def __init__(self) -> None:
        self.readers: dict[object, object] = {}
        self.later: list[float] = []

    def add_reader(self, listening: object, callback: object) -> None:
        self.readers[listening] = callback

    def remove_reader(self, listening: object) -> None:
        self.readers.pop(listening, None)

    def call_later(self, seconds: float, callback: object) -> asyncio.TimerHandle:
        self.later.append(seconds)
        return cast(asyncio.TimerHandle, self)

    def cancel(self) -> None:
        self.later.pop()


class Story:
    def __init__(self, *outcomes: object) -> None:
        self.loop, self.admitted, self.freed = FakeLoop(), list[object](), 0
        self.acceptor = Acceptor(
            cast(socket.socket, FakeListening(outcomes)),
            lambda connected, host: self.admitted.append(connected),
            self.free_one,
            OccasionalWarning(),
            cast(asyncio.AbstractEventLoop, self.loop),
        )
        self.acceptor.start()

    def free_one(self) -> None:
        self.freed += 1


NO_DESCRIPTOR = OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
def test_without_a_descriptor_nobody_reads_the_socket(number: int) -> None:
    """The slowest connection goes; the socket, which stays readable, must not occupy the CPU."""
    story = Story("first", OSError(number, "…"), "second")

    story.acceptor._accept()

    assert (["first"], 1, {}, [0.5]) == (story.admitted, story.freed, story.loop.readers, story.loop.later)


def test_a_free_descriptor_is_used_at_once() -> None:
    """A connection that ends before does not matter."""
    story = Story(NO_DESCRIPTOR, "second")

    story.acceptor.resume()
    story.acceptor._accept()
    story.acceptor.resume()
    story.acceptor._accept()

    assert (["second"], []) == (story.admitted, story.loop.later)
    assert story.loop.readers


def test_a_client_that_has_gone_is_left_out() -> None:
    """The next one is accepted."""
    story = Story(ConnectionAbortedError(), "second")

    story.acceptor._accept()

    assert (["second"], 0) == (story.admitted, story.freed)


def test_clients_that_are_open_have_their_turn() -> None:
    """No more than 32 are accepted in a row."""
    story = Story(*range(100))

    story.acceptor._accept()

    assert 32 == len(story.admitted)


def test_a_stop_ends_the_wait_for_a_descriptor() -> None:
    """Nothing is accepted later."""
    story = Story(NO_DESCRIPTOR)
    story.acceptor._accept()

    story.acceptor.stop()
    story.acceptor.resume()

    assert ({}, []) == (story.loop.readers, story.loop.later)
