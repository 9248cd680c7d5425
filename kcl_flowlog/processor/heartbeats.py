"""Heartbeats: the launcher learns from them that the daemon still calls a processor, and how far it is."""

from __future__ import annotations

from collections.abc import Callable

from kcl_flowlog.commits.messages import Heartbeat, Messenger

_INTERVAL = 1.0


class Heartbeats:
    """Sends at most one heartbeat a second."""

    def __init__(self, messenger: Messenger, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._messenger = messenger
        self._clock = clock
        self._monotonic = monotonic
        self._heartbeat = Heartbeat(0.0, 0.0, 0.0, 0.0)
        self._next_at = monotonic()

    def note_record(self, arrived_at: float) -> None:
        """Note when the last record that was delivered had arrived in the stream, in Unix seconds."""
        self._heartbeat.last_record_at = arrived_at

    def note_checkpoint(self) -> None:
        """Note that all commits so far are checkpointed and folded."""
        self._heartbeat.last_checkpoint_at = self._clock()

    def beat(self, lag: float) -> None:
        """Send a heartbeat, unless the last was less than a second ago; `lag` is in seconds."""
        now = self._monotonic()
        if now >= self._next_at:
            self._next_at = now + _INTERVAL
            self._heartbeat.at = self._clock()
            self._heartbeat.lag = lag
            self._messenger.send(self._heartbeat)
