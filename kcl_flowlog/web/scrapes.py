"""A count of complete scrapes, and a way to wait for the next.

A stopping instance waits until Prometheus has seen the last counts: for a
scrape that begins after they were final, and is answered to its last byte.
Knows nothing of HTTP.
"""

from __future__ import annotations

import threading


class Scrapes:
    """Counts complete scrapes. Safe to use from several threads.

    `answered` is the number of scrapes that were sent to their last byte.
    """

    def __init__(self) -> None:
        self.answered = 0
        self._begun = 0
        self._waiting: list[tuple[int, threading.Event]] = []
        self._lock = threading.Lock()

    def begin(self) -> int:
        """Return the number of a scrape that begins now."""
        with self._lock:
            self._begun += 1
            return self._begun

    def end(self, number: int) -> None:
        """Record that scrape `number` was sent to its last byte."""
        with self._lock:
            self.answered += 1
            for after, event in self._waiting:
                if number > after:
                    event.set()
            self._waiting = [(after, event) for after, event in self._waiting if not event.is_set()]

    def next(self) -> threading.Event:
        """Return an event that is set once a scrape that begins after this call is complete."""
        event = threading.Event()
        with self._lock:
            self._waiting.append((self._begun, event))
        return event
