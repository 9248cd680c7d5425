"""Generated traffic: the flow records that the interfaces of a world write, step by step.

Pure, apart from the random generator: the same seed, world and times give the
same records. It must not know how records reach the stream.
"""

from __future__ import annotations

import random

from kcl_flowlog.demo.conversations import Conversations
from kcl_flowlog.demo.records import AGGREGATION_INTERVAL, Record, record_without_traffic, records_of
from kcl_flowlog.demo.world import Interface, World

_SKIPDATA_PER_SECOND = 0.002  # chance of each interface


class Traffic:
    """Generates the flow records of `world`.

    A subnet is scanned every `scan_interval` seconds, and AWS skips a record now
    and then; both not if it is quiet.
    """

    def __init__(self, world: World, rng: random.Random, scan_interval: int = 60, *, is_quiet: bool = False) -> None:
        self._world = world
        self._rng = rng
        self._scan_interval = float("inf") if is_quiet else scan_interval
        self._skipdata_per_second = 0.0 if is_quiet else _SKIPDATA_PER_SECOND
        self._conversations = Conversations(world, rng, is_quiet=is_quiet)

    def leave_out(self, interface: Interface) -> None:
        """Have `interface` take part in no more conversations."""
        self._conversations.leave_out(interface)

    def step(self, now: int, seconds: float, wanted: int) -> list[Record]:
        """Return the records of the `seconds` before `now` (Unix seconds), at least `wanted` with traffic.

        A scan adds more, and so do the interfaces without traffic.
        """
        records: list[Record] = []
        while len(records) < wanted:
            records += records_of(self._conversations.draw(), now, self._rng)
        if int(now // self._scan_interval) != int((now - seconds) // self._scan_interval):
            records += records_of(self._conversations.draw_scan(), now, self._rng)
        return records + self._without_traffic(records, now, seconds)

    def _without_traffic(self, records: list[Record], now: int, seconds: float) -> list[Record]:
        """Return a NODATA line per interval of each silent interface, and now and then a SKIPDATA line."""
        interfaces_with_records = {record.interface for record in records}
        more = []
        for interface in self._world.interfaces:
            if interface not in interfaces_with_records and self._rng.random() < seconds / AGGREGATION_INTERVAL:
                more.append(record_without_traffic(interface, "NODATA", now))
            if self._rng.random() < self._skipdata_per_second * seconds:
                more.append(record_without_traffic(interface, "SKIPDATA", now))
        return more
