"""Keeps one daemon running: starts it, judges its end, waits, starts it again.

`step` is called over and over and never waits; `stop` is the planned end.
Starting a daemon, which may raise `CannotStart`, and telling the time are
given, so that a whole history of failures can be told in a test. Raises
`GaveUp` after too many of them.
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
    "exited": "It had been initialised, and ended; mostly since a processor had ended.",
    "killed": "A signal ended it.",
    "not_started": "It could not be started; mostly since the disk is full.",
    "not_initialised": "It ended before its initialisation was complete.",
    "processor_died": "A processor had died or hung, and the others had ended; the daemon would only have waited.",
    "ready_timeout": "Its initialisation was not complete within --ready-timeout.",
}


class Run(Protocol):
    """One run of the daemon, as `kcl_flowlog.launcher.daemon.Daemon` is."""

    @property
    def is_ready(self) -> bool:
        """Whether it is initialised."""

    @property
    def tail(self) -> list[str]:
        """The last warnings of its log, the oldest first."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""

    def ask_to_stop(self) -> None:
        """Ask for the last checkpoints and an end."""

    def end(self) -> None:
        """Leave nothing of it."""


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
        """The daemon's process id; 0, which no process has, while there is none."""
        return self._run.pid if self._run is not None else 0

    def step(self) -> None:
        """Do what is due: start the daemon, or see to its end."""
        now = self._clock()
        if self._run is None:
            if now >= self._start_at:
                self._try_to_start(now)
            return
        reason = self._reason_to_restart(self._run, now)
        if reason is not None:
            self._restart(self._run, reason, now)

    def _try_to_start(self, now: float) -> None:
        try:
            self._run = self._start()
            self._started_at = now
        except CannotStart as error:
            pause = self._backoff.pause_unstarted()
            self.restarts["not_started"] += 1
            log.error("The daemon can't be started (%s); trying again in %g s", error, pause)
            self._start_at = now + pause

    def replace(self) -> None:
        """Start another daemon in place of one whose processors are gone, as one of them has died."""
        if self._run is not None:
            self._restart(self._run, "processor_died", self._clock())

    def stop(self, is_over: Callable[[], bool]) -> None:
        """Ask the daemon to stop, wait until it has or `is_over` says to wait no more, and leave nothing of it.

        `is_over` is called over and over, and decides how long to sleep.
        """
        if self._run is None:
            return
        self._run.ask_to_stop()
        while self._run.poll() is None and not is_over():
            pass
        if self._run.poll() is None:
            log.warning("The daemon did not stop in time; what it had not checkpointed will be read again.")
        self._run.end()
        self._run = None

    def _reason_to_restart(self, run: Run, now: float) -> str | None:
        code = run.poll()
        if code is None:
            late = not run.is_ready and now - self._started_at > self._ready_timeout
            return "ready_timeout" if late else None
        if code < 0:
            return "killed"
        # Even 0 is a failure: the daemon exits so when it could not initialise.
        return "exited" if run.is_ready else "not_initialised"

    def _restart(self, run: Run, reason: str, now: float) -> None:
        run.end()
        self._run = None
        for line in [] if run.is_ready else run.tail[-3:]:
            log.error("The daemon's last words: %s", line)
        pause = self._backoff.pause(run.is_ready, now - self._started_at)
        self.restarts[reason] += 1
        log.error("The daemon has ended (%s); starting it again in %g s", reason, pause)
        self._start_at = now + pause
