"""Merged answers of the peers, shared for a few seconds: many clients at once ask the peers no more than one does."""

from __future__ import annotations

import time
from collections.abc import Callable

from kcl_flowlog.peers.merging import Merged
from kcl_flowlog.peers.one_peer import PeerQuestion

KEPT_SECONDS = 5.0
_MOST_KEPT = 8


class SharedAnswers:
    """Asks by `ask`, unless it has done so a moment ago. A single thread calls it."""

    def __init__(self, ask: Callable[[PeerQuestion], Merged], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._kept: dict[PeerQuestion, tuple[float, Merged]] = {}

    def ask(self, question: PeerQuestion) -> Merged:
        """Return what the peers know, at most `KEPT_SECONDS` old."""
        oldest = self._clock() - KEPT_SECONDS
        self._kept = {asked: kept for asked, kept in self._kept.items() if kept[0] > oldest}
        if question not in self._kept:
            merged = self._ask(question)
            if len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[question] = self._clock(), merged
        return self._kept[question][1]
