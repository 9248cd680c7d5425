"""A second delivery of an envelope, recognised.

CloudWatch Logs delivers at least once. A fingerprint identifies an envelope
by its log stream and the ids and messages of its events; a `Window` holds the
fingerprints of the latest envelopes of a shard. It can't recognise a copy on
another shard, together with other events, older than the window, or without
event ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

from kcl_flowlog.counting.log_stream import LogStream

WINDOW: Final = 32_768
"""The number of envelopes of a shard that are remembered."""

FINGERPRINT_BYTES: Final = 8
# Most texts that are joined at a time: far faster than each alone, and a copy of all would take much memory.
_TEXTS_AT_A_TIME = 256


def fingerprint(log_stream: LogStream, ids: Sequence[str], messages: Sequence[str]) -> bytes:
    """Return the fingerprint of an envelope: `FINGERPRINT_BYTES` bytes, the same in every process."""
    digest = blake2b(_encode(log_stream), digest_size=FINGERPRINT_BYTES)
    for start in range(0, len(ids), _TEXTS_AT_A_TIME):
        digest.update(b"\0" + _encode(ids[start : start + _TEXTS_AT_A_TIME]))
    # The ids alone would do if every sender made them as CloudWatch Logs does.
    for start in range(0, len(messages), _TEXTS_AT_A_TIME):
        digest.update((b"\0" if start else b"") + _encode(messages[start : start + _TEXTS_AT_A_TIME]))
    return digest.digest()


def _encode(texts: Iterable[str]) -> bytes:
    # JSON may contain half of a surrogate pair.
    return "\0".join(texts).encode("utf-8", "surrogatepass")


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
