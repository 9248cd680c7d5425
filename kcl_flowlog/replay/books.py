"""What the items of files add up to, counted as a processor counts."""

from __future__ import annotations

import time
from collections.abc import Callable

from kcl_flowlog.counting import counts, outcomes
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.payload import PayloadCounter, PayloadOrigin
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.replay.inputs import Events, Item, Payload

# Dead letters of a replay are only counted, so where they come from does not matter.
_SOURCE = PayloadOrigin("replay", Position("0"))


class Books:
    """Counts items into one delta, by the inventory of the attributor.

    A file that names the format of its lines is read by that; all others by
    `formats`, as `--flow-log-format` gives them, or by what the inventory says.
    """

    def __init__(
        self,
        attributor: Attributor,
        formats: tuple[str, ...],
        watched_ports: frozenset[str],
        payload_limit: int,
        deduplicate: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.delta = Delta()
        self._attributor = attributor
        self._formats = formats
        self._watched_ports = watched_ports
        self._payload_limit = payload_limit
        self._window = Window() if deduplicate else None
        self._clock = clock
        self._counters: dict[str, PayloadCounter] = {}

    def take(self, item: Item) -> None:
        """Count an item."""
        if isinstance(item, Payload):
            self._counter("").count(item.data, _SOURCE, self._clock(), self.delta)
        elif isinstance(item, Events):
            counter = self._counter(item.log_format)
            counter.count_events(item.stream, item.events, _SOURCE, self._clock(), self.delta)
        else:
            self.delta.add(counts.PAYLOADS if item.kind == "payload" else counts.EVENTS, outcomes.MALFORMED)
            self.delta.add(counts.MALFORMED, item.reason)
        # For the ledger, which there is none of.
        self.delta.fingerprints.clear()

    def finish(self) -> None:
        """Count what still waits to be known better. To be called before the delta is used."""
        for counter in self._counters.values():
            counter.finish(self._clock(), self.delta)

    def _counter(self, log_format: str) -> PayloadCounter:
        counter = self._counters.get(log_format)
        if counter is None:
            counter = self._counters[log_format] = PayloadCounter(
                Formats((log_format,) if log_format else self._formats),
                self._attributor,
                self._watched_ports,
                self._payload_limit,
                window=self._window,
            )
        return counter
