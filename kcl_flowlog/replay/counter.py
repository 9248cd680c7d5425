"""Counts the items of files as a processor counts the stream."""

from __future__ import annotations

import time
from collections.abc import Callable

from kcl_flowlog.counting import counts, outcomes
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.log_groups import LogGroups
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.replay.items import Events, Item, Payload

# A table or JSON shows them all; this only bounds the memory.
_MAX_UNLISTED_SUBNETS = 100_000
# Dead letters of a replay are counted but not kept, so their origin does not matter.
_ORIGIN = PayloadOrigin("replay", Position("0"))


class ItemCounter:
    """Adds items up to a delta.

    Lines of a file that names their format are read in that format; all others in `formats`, the values of
    `--flow-log-format`, or in the format that the inventory names. The other arguments are the settings of the same
    names (`log_groups` the values of `--log-group`); `clock` returns Unix seconds.
    """

    def __init__(
        self,
        attributor: Attributor,
        formats: tuple[str, ...],
        watched_ports: frozenset[str],
        payload_limit: int,
        deduplicate: bool,
        log_groups: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.delta = Delta()
        self._attributor = attributor
        self._formats = formats
        self._watched_ports = watched_ports
        self._payload_limit = payload_limit
        self._window = Window() if deduplicate else None
        self._log_groups = LogGroups(log_groups)
        self._clock = clock
        self._counters: dict[str, PayloadCounter] = {}

    def count(self, item: Item) -> None:
        """Count an item."""
        if isinstance(item, Payload):
            self._counter("").count(item.data, _ORIGIN, self._clock(), self.delta)
        elif isinstance(item, Events):
            counter = self._counter(item.log_format)
            counter.count_events(item.log_stream, item.events, _ORIGIN, self._clock(), self.delta)
        else:
            self.delta.add(counts.PAYLOADS if item.kind == "payload" else counts.EVENTS, outcomes.MALFORMED)
            self.delta.add(counts.MALFORMED, item.reason)
        # Fingerprints are for a ledger; here they would only fill the memory.
        self.delta.fingerprints.clear()

    def finish(self) -> None:
        """Count the records that wait until their interface is known. Call it before you use the delta."""
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
                max_unlisted_subnets=_MAX_UNLISTED_SUBNETS,
                log_groups=self._log_groups,
            )
        return counter
