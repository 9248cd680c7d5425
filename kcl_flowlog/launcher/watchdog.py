"""The processors, watched over: one that hangs is killed, and their daemon replaced once all are gone.

The daemon ends itself when a processor has died, but only after it has waited
for --shutdown-grace in vain. Its other processors make their last commits
within seconds; when the last of them is gone, there is nothing to wait for.

`step` is called over and over and never waits. A processor hangs when nothing
was heard of it for `stuck_after` seconds while this process was awake itself;
one that waits for its denials to be written does not hang.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from kcl_flowlog.launcher.inbox import Shard

log = logging.getLogger(__name__)

# A step that comes so late tells that this process itself was stopped, or its machine.
_OVERSLEPT = 5.0
# What the processors have sent meanwhile has to be read before anyone is judged.
_CATCHING_UP = 30.0


class Reports(Protocol):
    """What the processors tell, as `kcl_flowlog.launcher.inbox.Inbox` knows it."""

    deaths: int

    @property
    def is_writing(self) -> bool:
        """Whether denials are being written right now."""

    def shards(self) -> Sequence[Shard]:
        """Return the shards held now."""


class Watchdog:
    """Watches over the processors of one daemon after the other."""

    def __init__(
        self,
        reports: Reports,
        replace_daemon: Callable[[], None],
        stuck_after: float,
        clock: Callable[[], float],
        kill: Callable[[int, int], None] = os.kill,
    ) -> None:
        self._reports = reports
        self._replace_daemon = replace_daemon
        self._stuck_after = stuck_after
        self._clock = clock
        self._kill = kill
        self._stepped_at = clock()
        self._awake_since = clock() - _CATCHING_UP
        self._deaths = reports.deaths

    def forget(self) -> None:
        """Begin anew with a new daemon: deaths so far were those of the last one's processors."""
        self._deaths = self._reports.deaths

    def step(self) -> None:
        """Do what is due."""
        now = self._clock()
        if now - self._stepped_at > _OVERSLEPT:
            self._awake_since = now
        self._stepped_at = now
        shards = self._reports.shards()
        if self._reports.deaths > self._deaths and not shards:
            self.forget()
            self._replace_daemon()
        for shard in shards:
            if self._hangs(shard, now):
                log.error(
                    "The processor of %s has not called back for over %g s; it is killed, and its records come again",
                    shard.shard_id,
                    self._stuck_after,
                )
                with suppress(ProcessLookupError):
                    self._kill(shard.pid, signal.SIGKILL)

    def _hangs(self, shard: Shard, now: float) -> bool:
        if self._reports.is_writing or now - self._awake_since < _CATCHING_UP:
            return False
        return now - shard.heard_at > self._stuck_after
