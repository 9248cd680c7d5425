"""Kills processors that hang, and replaces the daemon once all processors are gone and some of them have died.

The daemon ends by itself when a processor dies, but waits the whole --shutdown-grace first. Its other processors
make their last commits within seconds; after the last of them there is nothing to wait for.

A processor hangs if the launcher heard nothing from it for --stuck-after while the launcher itself was running. A
processor that waits for its denials to be written does not hang. `step` never waits.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from kcl_flowlog.launcher.inbox import HeldShard

log = logging.getLogger(__name__)

# Steps this far apart show that the launcher itself was stopped, or the machine.
_LATE_STEP = 5.0
# Time to read what the processors sent during such a stop, before any of them counts as hanging.
_CATCH_UP = 30.0


class Reports(Protocol):
    """What the processors of the running daemon report, such as `kcl_flowlog.launcher.inbox.Inbox`."""

    deaths: int

    @property
    def is_writing_denials(self) -> bool:
        """Whether denials are being written right now."""

    def shards(self) -> Sequence[HeldShard]:
        """Return the shards held now."""


class Watchdog:
    """Watches the processors of the running daemon."""

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
        self._awake_since = self._stepped_at - _CATCH_UP

    def step(self) -> None:
        """Replace a daemon that only waits; kill processors that hang."""
        now = self._clock()
        if now - self._stepped_at > _LATE_STEP:
            self._awake_since = now
        self._stepped_at = now
        shards = self._reports.shards()
        if self._reports.deaths and not shards:
            self._replace_daemon()
        for shard in shards:
            if self._hangs(shard, now):
                self._kill_processor(shard)

    def _hangs(self, shard: HeldShard, now: float) -> bool:
        if self._reports.is_writing_denials or now - self._awake_since < _CATCH_UP:
            return False
        return now - shard.heard_at > self._stuck_after

    def _kill_processor(self, shard: HeldShard) -> None:
        log.error(
            "Killing a processor that does not call back; its records will be read again",
            extra={"fields": {"shard_id": shard.shard_id, "pid": shard.pid, "stuck_after_seconds": self._stuck_after}},
        )
        with suppress(ProcessLookupError):
            self._kill(shard.pid, signal.SIGKILL)
