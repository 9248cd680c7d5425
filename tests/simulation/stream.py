"""A model of the Kinesis stream: shards with records, each with a payload that shows how often it was counted.

The n-th different payload holds a flow of 10^n bytes, so the digits of a sum of bytes, tell how often each
payload was counted. A copy of a payload, as CloudWatch Logs delivers it again, has the same digit.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

BASE = 10
MOST_PAYLOADS = 14
"""The product takes no number of more than 15 digits."""
_LINE = "2 1 eni-a 10.0.1.10 198.51.100.7 40000 443 6 1 {bytes} 1700000000 1700000060 ACCEPT OK"


@dataclass(frozen=True)
class StreamRecord:
    """A record: its sequence number, its payload's number, and the time of its arrival in Unix seconds."""

    sequence: int
    number: int
    arrived_at: float


@dataclass
class Shard:
    """A shard; closed once it is split."""

    shard_id: str
    parent: str = ""
    records: list[StreamRecord] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    closed_at: float = 0.0

    @property
    def last(self) -> int:
        """The sequence number of the last record, 0 if there is no record."""
        return self.records[-1].sequence if self.records else 0


class Stream:
    """All shards; sequence numbers grow through the stream."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.shards = {name: Shard(name) for name in names}
        self._sequence = 0
        self._payloads = 0

    @property
    def is_full(self) -> bool:
        """Whether there is no number left for another payload."""
        return self._payloads >= MOST_PAYLOADS

    def put(self, name: str, now: float) -> StreamRecord:
        """Add a record with a new payload."""
        self._payloads += 1
        return self._add(self.shards[name], self._payloads - 1, now)

    def put_copy(self, name: str, now: float) -> StreamRecord:
        """Add a record with the payload of the shard's last record."""
        shard = self.shards[name]
        return self._add(shard, shard.records[-1].number, now)

    def open_at(self, moment: float) -> list[str]:
        """Return the shards that were open at a moment."""
        closed = {name: shard.closed_at for name, shard in self.shards.items() if shard.children}
        return [
            name
            for name, shard in self.shards.items()
            if closed.get(name, moment) >= moment and (not shard.parent or closed[shard.parent] < moment)
        ]

    def split(self, name: str, now: float) -> None:
        """Close a shard, and open two children."""
        shard = self.shards[name]
        shard.closed_at = now
        shard.children = [f"{name}{side}" for side in "lr"]
        for child in shard.children:
            self.shards[child] = Shard(child, parent=name)

    def truth(self, since: float) -> Counter[int]:
        """Return how often each payload is to be counted, if counting begins with arrivals at `since`."""
        # A copy counts only if what it is a copy of arrived too early.
        return Counter(
            {
                record.number: 1
                for shard in self.shards.values()
                for record in shard.records
                if record.arrived_at >= since
            }
        )

    def copies(self, name: str) -> set[int]:
        """Return the payloads that a shard has more than once."""
        numbers = Counter(record.number for record in self.shards[name].records)
        return {number for number, times in numbers.items() if times > 1}

    def payloads(self, sequences: set[int]) -> Counter[int]:
        """Return the payloads of records."""
        records = (record for shard in self.shards.values() for record in shard.records)
        return Counter(record.number for record in records if record.sequence in sequences)

    def _add(self, shard: Shard, number: int, now: float) -> StreamRecord:
        self._sequence += 1
        record = StreamRecord(self._sequence, number, now)
        shard.records.append(record)
        return record


@cache
def payload(number: int) -> str:
    """Return a payload as the daemon hands it over, in base64."""
    event = {"id": str(number), "timestamp": 0, "message": _LINE.format(bytes=BASE**number)}
    envelope = {"messageType": "DATA_MESSAGE", "logStream": "eni-a-all", "logEvents": [event]}
    return base64.b64encode(gzip.compress(json.dumps(envelope).encode(), mtime=0)).decode()


def counted(number_of_bytes: int) -> Counter[int]:
    """Return how often each payload is in a sum of bytes, which may be a difference."""
    sign = -1 if number_of_bytes < 0 else 1
    rest, found, place = abs(number_of_bytes), Counter[int](), 0
    while rest:
        rest, digit = divmod(rest, BASE)
        if digit:
            found[place] = sign * digit
        place += 1
    return found
