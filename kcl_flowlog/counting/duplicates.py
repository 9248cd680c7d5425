"""Envelopes that CloudWatch Logs has delivered again, recognised.

It delivers at least once. An envelope is known by a fingerprint of its log
stream and of its log events, ids and messages; a `Window` holds those of the
latest envelopes of one shard. What it can't see: the copy on another shard,
one with other events beside it, one older than the window, and one without
event ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from kcl_flowlog.counting.log_stream import LogStream

WINDOW: Final = 32_768
"""How many envelopes of a shard are remembered."""

FINGERPRINT_BYTES: Final = 8
_SEPARATOR = "\0"


def fingerprint(stream: LogStream, ids: Iterable[str], messages: Iterable[str]) -> bytes:
    """Return the fingerprint of an envelope: `FINGERPRINT_BYTES` bytes, the same in every process."""
    digest = blake2b(_SEPARATOR.join((*stream, *ids)).encode("utf-8", "surrogatepass"), digest_size=FINGERPRINT_BYTES)
    # The ids alone would do, were every sender to make them as CloudWatch Logs does.
    digest.update(_SEPARATOR.join(messages).encode("utf-8", "surrogatepass"))
    return digest.digest()


class Window:
    """The fingerprints of the latest envelopes of a shard."""

    def __init__(self, fingerprints: Iterable[bytes] = (), most: int = WINDOW) -> None:
        self._most = most
        self._order: deque[bytes] = deque()
        self._known: set[bytes] = set()
        for one in fingerprints:
            self.add(one)

    def add(self, one: bytes) -> bool:
        """Take a fingerprint in; say whether it is new."""
        if one in self._known:
            return False
        if len(self._order) >= self._most:
            self._known.discard(self._order.popleft())
        self._order.append(one)
        self._known.add(one)
        return True
