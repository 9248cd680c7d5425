"""Prometheus, played: scrapes each instance on an interval, and sums the increases as `increase()` does."""

from __future__ import annotations

import http.client
import re
import threading
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from kcl_flowlog.demo.truth import Key, Sums, Truth

_SAMPLE = re.compile(r"^flowlog_(flows|packets|bytes)_total\{([^}]*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Sample = tuple[Key, str]


class Scraper:
    """Scrapes the pages of `targets`, which may change, every `interval` seconds.

    A series' first value is where its increase begins; a value below the last
    one is a counter that was reset, and counts from 0. Nothing else is known
    of a series that has gone.
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
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether it still scrapes."""
        return self._thread.is_alive()

    def seen(self) -> Truth:
        """Return the increases of the fleet so far."""
        truth = Truth()
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
                self._take(name, text)

    def _take(self, name: str, text: str) -> None:
        with self._lock:
            last = self._last[name]
            for unit, labels, value in _SAMPLE.findall(text):
                named = dict(_LABEL.findall(labels))
                sample = (Key(*(named[label] for label in Key._fields)), unit)
                number = int(float(value))
                before = last.get(sample)
                if before is not None:
                    self._increases[sample] += number - before if number >= before else number
                last[sample] = number
