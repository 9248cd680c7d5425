"""Keeps one daemon running: starts it, notices its end, waits, starts it again.

`step` does what is due and never waits; `stop` is the planned end. How to start a daemon, which may raise
`CannotStart`, and the clock come through the constructor, so a test can play a whole history of failures. Raises
`GaveUp` after too many failures in a row.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from kcl_flowlog.errors import CannotStart
from kcl_flowlog.launcher.backoff import Backoff

log = logging.getLogger(__name__)

RESTART_REASONS = {
    "exited": "It ended after it had been initialised, mostly because a processor had ended.",
    "killed": "A signal ended it.",
    "not_started": "It could not start, mostly because the disk was full or the AWS credentials had expired.",
    "not_initialised": "It ended before it was initialised.",
    "processor_died": "A processor died or hung and the others ended; the daemon would only have waited.",
    "ready_timeout": "It was not initialised within --ready-timeout.",
}
_LAST_LINES = 3


class Run(Protocol):
    """One run of the daemon, such as `kcl_flowlog.launcher.daemon.Daemon`."""

    @property
    def is_ready(self) -> bool:
        """Whether it is initialised."""

    @property
    def tail(self) -> list[str]:
        """The last warnings of its log, the oldest first."""

    @property
    def pid(self) -> int:
        """Return the process id."""

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""

    def ask_to_stop(self) -> None:
        """Request the last checkpoints and an end."""

    def end(self) -> None:
        """End it and all its processes."""


class Supervisor:
    """Keeps a daemon running from the first `step` until `stop`."""

    def __init__(self, start: Callable[[], Run], clock: Callable[[], float], ready_timeout: float) -> None:
        self._start = start
        self._clock = clock
        self._ready_timeout = ready_timeout
        self._backoff = Backoff()
        self._run: Run | None = None
        self._started_at = 0.0
        self._start_at = clock()
        self.restarts: Counter[str] = Counter(dict.fromkeys(RESTART_REASONS, 0))

    @property
    def is_up(self) -> bool:
        """Whether a daemon runs and is initialised."""
        return self._run is not None and self._run.is_ready

    @property
    def pid(self) -> int:
        """The daemon's process id; 0, which no process has, if none runs."""
        return self._run.pid if self._run is not None else 0

    def step(self) -> None:
        """Start the daemon if it is time to, or see to its end."""
        now = self._clock()
        if self._run is None:
            if now >= self._start_at:
                self._try_to_start(now)
            return
        reason = self._reason_to_restart(self._run, now)
        if reason is not None:
            self._restart(self._run, reason, now)

    def replace(self) -> None:
        """End a daemon that lost a processor and now only waits; the next steps start another."""
        if self._run is not None:
            self._restart(self._run, "processor_died", self._clock())

    def stop(self, is_over: Callable[[], bool]) -> None:
        """Stop the daemon in order, or end it once `is_over` returns True.

        Calls `is_over` again and again while it waits; `is_over` decides how long to sleep.
        """
        if self._run is None:
            return
        self._run.ask_to_stop()
        while self._run.poll() is None and not is_over():
            pass
        if self._run.poll() is None:
            log.warning("The daemon did not stop in time; records after its last checkpoints will be read again")
        self._run.end()
        self._run = None

    def _try_to_start(self, now: float) -> None:
        try:
            self._run = self._start()
            self._started_at = now
        except CannotStart as error:
            pause = self._backoff.pause_after_failed_start()
            self.restarts["not_started"] += 1
            log.error(
                "The daemon can't start; trying again",
                extra={"fields": {"error": str(error), "pause_seconds": pause}},
            )
            self._start_at = now + pause

    def _reason_to_restart(self, run: Run, now: float) -> str | None:
        code = run.poll()
        if code is None:
            is_late = not run.is_ready and now - self._started_at > self._ready_timeout
            return "ready_timeout" if is_late else None
        if code < 0:
            return "killed"
        # Even 0 is a failure: the daemon exits with 0 if it can't initialise.
        return "exited" if run.is_ready else "not_initialised"

    def _restart(self, run: Run, reason: str, now: float) -> None:
        code = run.poll()
        run.end()
        self._run = None
        for line in [] if run.is_ready else run.tail[-_LAST_LINES:]:
            log.error("The daemon's last output", extra={"fields": {"line": line}})
        pause = self._backoff.pause_after(run.is_ready, now - self._started_at)
        self.restarts[reason] += 1
        log.error(
            "The daemon ended; starting another",
            extra={"fields": {"reason": reason, "exit_code": code, "pause_seconds": pause}},
        )
        self._start_at = now + pause
