"""A second delivery of an envelope, recognised.

CloudWatch Logs delivers at least once. A fingerprint identifies an envelope
by its log stream and the text of its events; a `Window` holds the fingerprints
of the latest envelopes of a shard. It can't recognise a copy on another shard,
together with other events, older than the window, or without event ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec
from isal import isal_zlib

from kcl_flowlog.counting.log_stream import LogStream

WINDOW: Final = 32_768
"""The number of envelopes of a shard that are remembered."""

FINGERPRINT_BYTES: Final = 8


class Checksum(msgspec.Struct, frozen=True, gc=False):
    """The length of a text, and two checksums of 32 bits: far faster than a hash, and enough beside an event's id."""

    length: int
    crc32: int
    adler32: int


def checksum(text: bytes | memoryview) -> Checksum:
    """Return the checksum of a text, the same in every process."""
    return Checksum(len(text), isal_zlib.crc32(text), isal_zlib.adler32(text))


def fingerprint(log_stream: LogStream, first_id: str, last_id: str, events: int, text: Checksum) -> bytes:
    """Return the fingerprint of an envelope: `FINGERPRINT_BYTES` bytes, the same in every process.

    CloudWatch Logs gives no two events the same id, so another envelope has another first event, or less in common. The
    checksum is that of all events, for senders whose ids are not unique.
    """
    owner, log_group, name = log_stream
    envelope = f"{owner}\0{log_group}\0{name}\0{first_id}\0{last_id}\0{events}"
    whole = f"{envelope}\0{text.length}\0{text.crc32}\0{text.adler32}"
    # JSON may contain half of a surrogate pair.
    return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=FINGERPRINT_BYTES).digest()


class Window:
    """The fingerprints of the latest envelopes of a shard."""

    def __init__(self, fingerprints: Iterable[bytes] = (), size: int = WINDOW) -> None:
        self._size = size
        self._order: deque[bytes] = deque()
        self._known: set[bytes] = set()
        for digest in fingerprints:
            self.add(digest)

    def add(self, digest: bytes) -> bool:
        """Add a fingerprint; tell whether it is new."""
        if digest in self._known:
            return False
        if len(self._order) >= self._size:
            self._known.discard(self._order.popleft())
        self._order.append(digest)
        self._known.add(digest)
        return True
