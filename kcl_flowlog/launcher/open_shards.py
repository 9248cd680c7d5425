"""How many open shards the stream has, asked once a minute in a thread.

A single small request, whatever the number of shards. If Kinesis does not answer for long, or forbids the question,
the number is unknown: an old number is worse than none.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_denied, one_line

log = logging.getLogger(__name__)

INTERVAL = 60.0
_MOST_FAILURES = 5


class OpenShards:
    """The `number` of open shards, None if unknown. `count` asks Kinesis, and may raise `AWS_ERRORS`."""

    def __init__(self, count: Callable[[], int], interval: float = INTERVAL) -> None:
        self._count = count
        self._interval = interval
        self._stopping = threading.Event()
        self._failures = 0
        self.number: int | None = None

    def start(self) -> None:
        """Ask in a thread from now on."""
        threading.Thread(target=self._run, name="open-shards", daemon=True).start()

    def stop(self) -> None:
        """End the thread, without waiting for a request that is under way."""
        self._stopping.set()

    def ask(self) -> bool:
        """Ask Kinesis once; return whether to ask again."""
        try:
            self.number = self._count()
        except AWS_ERRORS as error:
            return self._note_failure(error)
        self._failures = 0
        return True

    def _run(self) -> None:
        while self.ask() and not self._stopping.wait(self._interval):
            pass

    def _note_failure(self, error: Exception) -> bool:
        if is_denied(error):
            self.number = None
            log.warning(
                "Missing permission; flowlog_stream_open_shards is not shown",
                extra={"fields": {"action": "kinesis:DescribeStreamSummary"}},
            )
            return False
        self._failures += 1
        if self._failures == _MOST_FAILURES:
            self.number = None
            log.warning(
                "Kinesis does not tell the number of open shards; asking again each minute",
                extra={"fields": {"error": one_line(error)}},
            )
        return True
