"""Whether the user has asked the demo to stop, and how urgently.

The first Ctrl-C means finish, a second one or SIGTERM means at once. The
handlers only set a flag: an exception out of nowhere could lose a process
that was just being started.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

_SLICE = 0.1


FINISH, AT_ONCE = 1, 2


class Asked:
    """What has been asked: `urgency` goes from 0 through `FINISH` to `AT_ONCE`, and never down."""

    def __init__(self, urgency: int = 0) -> None:
        self.urgency = urgency

    def listen(self) -> Callable[[], None]:
        """Take over SIGINT and SIGTERM; call what is returned to give them back."""
        before = {number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)}

        def give_back() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        return give_back

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.urgency = AT_ONCE if number == signal.SIGTERM else min(self.urgency + 1, AT_ONCE)

    def wait(self, seconds: float, urgency: int = FINISH) -> bool:
        """Wait so long, or until asked with such an `urgency` or more; tell whether that was asked."""
        # In slices, not on an Event: a handler that sets an Event its own thread is waiting on may lock itself out.
        end = time.monotonic() + seconds
        while self.urgency < urgency and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE))
        return self.urgency >= urgency
