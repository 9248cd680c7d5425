"""SIGTERM and SIGINT as requests to stop.

A handler only notes the signal: an exception out of nowhere could lose a
process that was just being started. Imports nothing but a few small modules
of the standard library, so that a command can capture signals before it
imports anything that takes long.

Signals that arrive while the Python interpreter itself starts can't be
captured. A parent that wants to lose none starts the command inside
`held_back`: the kernel then keeps the signals until the command captures them.
"""

from __future__ import annotations

import queue
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def captured(note: Callable[[int], object], *, ends_process: bool = False) -> Iterator[None]:
    """Call `note` with the number of each stop signal; restore the handlers at the end.

    With `ends_process`, the process ends after this context, and once a stop signal came, it ignores more of them from
    then on: Python takes its handlers away while it ends, and a repeated signal would make a death of a stop in order.

    Only the main thread may do this. `note` may be called between any two steps of that thread, so it must not
    take a lock that the thread may hold.
    """
    asked: list[int] = []

    def handler(number: int, _: object) -> None:
        asked.append(number)
        note(number)

    before = {number: signal.signal(number, handler) for number in STOP_SIGNALS}
    # The parent may have held them back.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, signal.SIG_IGN if ends_process and asked else former)


@contextmanager
def held_back() -> Iterator[None]:
    """Keep stop signals pending in this thread, and in every process started here until it captures them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class StopRequests:
    """The stop signals received so far; each is a request, to stop at first, then to hurry."""

    def __init__(self) -> None:
        # Unlike the methods of a Queue or an Event, put() may interrupt get() in the same thread.
        self._received: queue.SimpleQueue[int] = queue.SimpleQueue()

    def note(self, number: int) -> None:
        """Note a signal; safe to call from its handler."""
        self._received.put(number)

    @property
    def is_pending(self) -> bool:
        """Whether a request came that `wait` has not returned yet."""
        return not self._received.empty()

    def wait(self, seconds: float) -> bool:
        """Wait for the next request, at most this many seconds; return whether it came. Each is returned once."""
        try:
            self._received.get(timeout=seconds)
        except queue.Empty:
            return False
        return True
