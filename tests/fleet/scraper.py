"""A small Prometheus: scrapes every instance at an interval and adds up the increases as `increase()` does."""

from __future__ import annotations

import http.client
import re
import threading
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from kcl_flowlog.demo.tally import SeriesKey, Sums, Tally

_SAMPLE = re.compile(r"^flowlog_(flows|packets|bytes)_total\{([^}]*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Sample = tuple[SeriesKey, str]


class Scraper:
    """Scrapes `targets` (pairs of name and URL, read again for each round) every `interval` seconds.

    The increase of a series starts at its first value. A value below the last value is a reset: it counts from 0.
    """

    def __init__(self, targets: Callable[[], Iterable[tuple[str, str]]], interval: float) -> None:
        self._targets = targets
        self._interval = interval
        self._last: dict[str, dict[Sample, int]] = defaultdict(dict)
        self._increases: Counter[Sample] = Counter()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="scraper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for its end. May be called twice."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def seen(self) -> Tally:
        """Return the sum of all increases so far."""
        truth = Tally()
        with self._lock:
            for (key, unit), number in self._increases.items():
                truth.add_traffic(key, Sums(**{unit: number}))
        return truth

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            for name, url in self._targets():
                try:
                    with _NO_PROXY.open(url, timeout=5) as answer:
                        text = answer.read().decode()
                except (OSError, http.client.HTTPException):
                    continue
                self._add(name, text)

    def _add(self, name: str, text: str) -> None:
        with self._lock:
            last = self._last[name]
            for unit, labels, value in _SAMPLE.findall(text):
                named = dict(_LABEL.findall(labels))
                sample = (SeriesKey(*(named[label] for label in SeriesKey._fields)), unit)
                number = int(float(value))
                before = last.get(sample)
                if before is not None:
                    self._increases[sample] += number - before if number >= before else number
                last[sample] = number
