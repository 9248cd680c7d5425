"""A small Prometheus: scrapes every instance at an interval and adds up the increases as `increase()` does."""

from __future__ import annotations

import http.client
import re
import threading
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from kcl_flowlog.demo.tally import SeriesKey, Sums, Tally

_SAMPLE = re.compile(r"^flowlog_(flows|packets|bytes)_total\{([^}]*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Sample = tuple[SeriesKey, str]


class Scraper:
    """Scrapes `targets` every `interval` seconds, each from its own thread, so that no target delays another.

    `targets` maps a name to a function that returns the URL, or None if the target does not run. The increase of a
    series starts at its first value. A value below the last value is a reset: it counts from 0.
    """

    def __init__(self, targets: Mapping[str, Callable[[], str | None]], interval: float) -> None:
        self._interval = interval
        self._last: dict[str, dict[Sample, int]] = defaultdict(dict)
        self._increases: Counter[Sample] = Counter()
        # The number of tries and of answers, by target.
        self.tries: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(name, url), name=f"scraper of {name}", daemon=True)
            for name, url in targets.items()
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the threads and wait for their end. May be called twice."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether all threads still run."""
        return all(thread.is_alive() for thread in self._threads)

    def seen(self) -> Tally:
        """Return the sum of all increases so far."""
        with self._lock:
            return _tally(self._increases)

    def last(self, name: str) -> Tally:
        """Return the last values of a target."""
        with self._lock:
            return _tally(self._last[name])

    def _run(self, name: str, get_url: Callable[[], str | None]) -> None:
        while not self._stop.wait(self._interval):
            url = get_url()
            text = _read(url) if url else None
            if text is not None:
                self._add(name, text)
                self.answers[name] += 1
            self.tries[name] += 1

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


def _read(url: str) -> str | None:
    """Return the page, or None if there is no complete answer."""
    try:
        with _NO_PROXY.open(url, timeout=5) as answer:
            text: str = answer.read().decode()
            return text
    except (OSError, http.client.HTTPException):
        return None


def _tally(samples: Mapping[Sample, int]) -> Tally:
    truth = Tally()
    for (key, unit), number in samples.items():
        truth.add_traffic(key, Sums(**{unit: number}))
    return truth
