"""A stream whose records lie ready in memory, encoded as GetRecords answers them.

Nothing is readable until it is released, so that a measurement begins when it wants to. All readers may read at the
same time: records don't change once they are added.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import accumulate

from streaming import cbor

_LARGEST_ANSWER = 10 * 1024 * 1024
_FIRST_NUMBER = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000


class Shard:
    """The records of a shard, oldest first."""

    def __init__(self, number: int) -> None:
        self.shard_id = f"shardId-{number:012d}"
        self._records: list[bytes] = []
        self._sizes: list[int] = [0]
        self._first = _FIRST_NUMBER + number * 10**12

    def add(self, payloads: Sequence[bytes]) -> None:
        """Append records; they are not released."""
        arrival = cbor.timestamp(int(time.time() * 1000))
        for payload in payloads:
            number = cbor.encode(str(self._first + len(self._records)))
            self._records.append(
                b"\xa4"
                + cbor.encode("SequenceNumber")
                + number
                + cbor.encode("ApproximateArrivalTimestamp")
                + arrival
                + cbor.encode("Data")
                + cbor.encode(payload)
                + cbor.encode("PartitionKey")
                + cbor.encode("p")
            )
        self._sizes = list(accumulate(map(len, self._records), initial=0))

    def __len__(self) -> int:
        return len(self._records)

    def sequence_number(self, index: int) -> str:
        """Return the sequence number of record `index`."""
        return str(self._first + index)

    def index(self, sequence_number: str) -> int:
        """Return the index of the record with this sequence number."""
        return int(sequence_number) - self._first

    def read(self, begin: int, end: int, most: int) -> list[bytes]:
        """Return encoded records from `begin` to before `end`, at most `most`, and at most 10 MiB."""
        end = min(end, begin + most)
        while end > begin + 1 and self._sizes[end] - self._sizes[begin] > _LARGEST_ANSWER:
            end = begin + max(1, (end - begin) * _LARGEST_ANSWER // (self._sizes[end] - self._sizes[begin]))
        return self._records[begin:end]


class Stream:
    """A name under which the shards can be read; each stream releases them on its own."""

    def __init__(self, name: str, shards: Sequence[Shard]) -> None:
        self.name = name
        self.shards = shards
        self._released = [0] * len(shards)

    def release(self, ends: Sequence[int]) -> None:
        """Make the records before `ends` readable, one end for each shard."""
        self._released = list(ends)

    def answer(self, target: str, request: dict[str, object]) -> dict[str, object]:
        """Return the answer to a request of the KCL. Raises `ValueError` for an unknown request."""
        if target == "ListShards":
            return {"Shards": [self._description(number) for number in range(len(self.shards))]}
        if target == "GetShardIterator":
            return {"ShardIterator": self._iterator(request)}
        raise ValueError(f"{target} is not answered")

    def _description(self, number: int) -> dict[str, object]:
        width = 2**128 // len(self.shards)
        last = 2**128 if number + 1 == len(self.shards) else width * (number + 1)
        return {
            "ShardId": self.shards[number].shard_id,
            "HashKeyRange": {"StartingHashKey": str(width * number), "EndingHashKey": str(last - 1)},
            "SequenceNumberRange": {"StartingSequenceNumber": self.shards[number].sequence_number(0)},
        }

    def _iterator(self, request: dict[str, object]) -> str:
        number = int(str(request["ShardId"]).partition("-")[2])
        kind = request["ShardIteratorType"]
        if kind == "TRIM_HORIZON":
            index = 0
        elif kind == "LATEST":
            index = self._released[number]
        elif kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            index = self.shards[number].index(str(request["StartingSequenceNumber"]))
            index += kind == "AFTER_SEQUENCE_NUMBER"
        else:
            raise ValueError(f"an iterator {kind} is not answered")
        return f"{self.name}/{number}/{index}"

    def records(self, number: int, index: int, most: int) -> bytes:
        """Return the encoded answer to GetRecords."""
        end = self._released[number]
        found = self.shards[number].read(index, end, most)
        begin = index + len(found)
        behind = 60_000 if begin < end else 0
        return b"".join(
            [
                b"\xa3",
                cbor.encode("Records"),
                cbor.BEGIN_LIST,
                *found,
                cbor.END_OF_LIST,
                cbor.encode("NextShardIterator"),
                cbor.encode(f"{self.name}/{number}/{begin}"),
                cbor.encode("MillisBehindLatest"),
                cbor.encode(behind),
            ]
        )


class Streams:
    """All streams, by the requests of their readers."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}

    def add(self, stream: Stream) -> None:
        """Serve this stream from now on."""
        self._streams[stream.name] = stream

    def count_shards(self, name: str) -> int:
        """Return the number of shards of a stream."""
        return len(self._streams[name].shards)

    def answer(self, target: str, body: bytes) -> bytes:
        """Return the encoded answer to a request. Raises `ValueError` or `KeyError` for one that is not known."""
        request = cbor.decode(body)
        if not isinstance(request, dict):
            raise ValueError("a request is a dictionary")
        if target == "GetRecords":
            name, number, index = str(request["ShardIterator"]).split("/")
            return self._streams[name].records(int(number), int(index), int(request.get("Limit", 10_000)))
        name = str(request.get("StreamName") or str(request.get("StreamARN", "")).rpartition("/")[2])
        return cbor.encode(self._streams[name].answer(target, request))
