"""A second delivery of an envelope, recognised.

CloudWatch Logs delivers at least once. A fingerprint identifies an envelope
by its log stream and the ids and messages of its events; a `Window` holds the
fingerprints of the latest envelopes of a shard. It can't recognise a copy on
another shard, together with other events, older than the window, or without
event ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from kcl_flowlog.counting.log_stream import LogStream

WINDOW: Final = 32_768
"""The number of envelopes of a shard that are remembered."""

FINGERPRINT_BYTES: Final = 8


def fingerprint(log_stream: LogStream, ids: Iterable[str], messages: Iterable[str]) -> bytes:
    """Return the fingerprint of an envelope: `FINGERPRINT_BYTES` bytes, the same in every process."""
    digest = blake2b(_encode(*log_stream, *ids), digest_size=FINGERPRINT_BYTES)
    # The ids alone would do if every sender made them as CloudWatch Logs does.
    digest.update(_encode(*messages))
    return digest.digest()


def _encode(*texts: str) -> bytes:
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
