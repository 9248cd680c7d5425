"""A user's request to stop the demo, and how urgent it is.

The first Ctrl-C asks the demo to finish, the second Ctrl-C or a SIGTERM asks it
to stop at once. The signal handler only sets a flag: an exception in the middle
of a line could lose a process that has just been started.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import IntEnum

from kcl_flowlog.launcher.signals import captured

_SLICE = 0.1


class Urgency(IntEnum):
    """How soon the demo has to stop."""

    NONE = 0
    FINISH = 1
    AT_ONCE = 2


class StopRequest:
    """The most urgent request so far, in `urgency`, which never goes down."""

    def __init__(
        self,
        urgency: Urgency = Urgency.NONE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.urgency = urgency
        self._clock = clock
        self._sleep = sleep

    def captured(self, *, ends_process: bool = False) -> AbstractContextManager[None]:
        """Note SIGINT and SIGTERM here, until the end of the returned context, which may be that of the process."""
        return captured(self._note, ends_process=ends_process)

    def _note(self, number: int) -> None:
        at_once = number == signal.SIGTERM or self.urgency >= Urgency.FINISH
        self.urgency = Urgency.AT_ONCE if at_once else Urgency.FINISH

    def wait(self, seconds: float, urgency: Urgency = Urgency.FINISH) -> bool:
        """Wait `seconds`, or until a request of at least `urgency`; return whether there is such a request."""
        # In slices, not on an Event: a handler that sets the Event its thread waits on can deadlock.
        end = self._clock() + seconds
        while self.urgency < urgency and (left := end - self._clock()) > 0:
            self._sleep(min(left, _SLICE))
        return self.urgency >= urgency
