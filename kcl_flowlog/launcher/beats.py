"""Gives a start's signs of life from a thread, and ends the instance if a later start has taken over.

A thread, because the main loop may wait for a daemon's end, or for an AWS that hangs. A failing DynamoDB is no reason
to end: nobody can take over without it. What the thread finds is raised by `check`, in the main loop.
"""

from __future__ import annotations

import logging
import threading

from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS
from kcl_flowlog.launcher.start_record import BEAT_INTERVAL, StartRecord

log = logging.getLogger(__name__)

# A request under way at a stop changes nothing: its condition fails once the record is deleted.
_JOIN_TIMEOUT = 2.0


class Beats:
    """The beats of one start, from `start` until `stop`, every `interval` seconds."""

    def __init__(self, record: StartRecord, interval: float = BEAT_INTERVAL) -> None:
        self._record = record
        self._interval = interval
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_failing = False
        self._failure: Exception | None = None

    def start(self) -> None:
        """Begin, after the record has become the current start's."""
        self._thread = threading.Thread(target=self._run, name="beats", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise `FlowlogError` if a later start has taken over."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop, and delete the record. Call it only while no daemon runs; a second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping.set()
        thread.join(_JOIN_TIMEOUT)
        self._record.end()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._interval) and self._beat():
                pass
        except Exception as error:  # noqa: BLE001 - the main loop raises it
            self._failure = error

    def _beat(self) -> bool:
        """Give a sign of life; return whether to go on."""
        try:
            is_current = self._record.beat()
        except AWS_ERRORS as error:
            if not self._is_failing:
                log.warning("The signs of life do not reach DynamoDB", extra={"fields": {"error": error}})
            self._is_failing = True
            return True
        if self._is_failing:
            log.info("The signs of life reach DynamoDB again")
        self._is_failing = False
        if not is_current:
            self._failure = FlowlogError(
                f"Another instance with the worker id {self._record.worker_id} has started while this one was silent;"
                " give each instance its own --state-dir."
            )
        return is_current
