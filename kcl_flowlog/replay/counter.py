"""Counts the items of files as a processor counts the stream."""

from __future__ import annotations

import time
from collections.abc import Callable

from kcl_flowlog.counting import counts, outcomes
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.dead_letter import PAYLOAD, DeadLetter
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.log_groups import LogGroups
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.replay.files import Files, ReplayDelta, origin_in
from kcl_flowlog.replay.items import Events, Item, Payload, Unreadable

# A table or JSON shows them all; this only bounds the memory.
_MAX_UNLISTED_SUBNETS = 100_000


class ItemCounter:
    """Adds items up to a delta, and notes the outcomes of each file in `files`.

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
        files: Files | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.files = Files() if files is None else files
        self.delta: Delta = ReplayDelta(self.files)
        self._attributor = attributor
        self._formats = formats
        self._watched_ports = watched_ports
        self._payload_limit = payload_limit
        self._window = Window() if deduplicate else None
        self._log_groups = LogGroups(log_groups)
        self._clock = clock
        self._counters: dict[str, PayloadCounter] = {}

    def count(self, item: Item, file: str) -> None:
        """Count an item of a file."""
        origin = origin_in(file, item.line)
        if isinstance(item, Payload):
            outcome = self._counter("").count(item.data, origin, self._clock(), self.delta)
            self.files[file].payloads[outcome] += 1
        elif isinstance(item, Events):
            counter = self._counter(item.log_format)
            counter.count_events(item.log_stream, item.events, origin, self._clock(), self.delta)
        else:
            self._count_unreadable(item, file)
        # Fingerprints are for a ledger; here they would only fill the memory.
        self.delta.fingerprints.clear()

    def finish(self) -> None:
        """Count the records that wait until their interface is known. Call it before you use the delta."""
        for counter in self._counters.values():
            counter.finish(self._clock(), self.delta)

    def _count_unreadable(self, item: Unreadable, file: str) -> None:
        of_file = self.files[file]
        is_payload = item.kind == PAYLOAD
        (of_file.payloads if is_payload else of_file.events)[outcomes.MALFORMED] += 1
        self.delta.add(counts.PAYLOADS if is_payload else counts.EVENTS, outcomes.MALFORMED)
        self.delta.add(counts.MALFORMED, item.reason)
        self.delta.add_dead_letter(
            DeadLetter(file, str(item.line), 0, item.reason, item.kind, item.body, truncated=True)
        )

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
                make_tally=self.files.tally,
            )
        return counter
