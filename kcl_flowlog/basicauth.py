"""Basic auth against bcrypt hashes.

A bcrypt check takes some 50 ms on purpose, and a scraper comes every few
seconds with the same password, so good answers are remembered. A name that
does not exist costs as much as a wrong password and is remembered no
more than that, so that nobody can find out names by the clock.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
from collections.abc import Mapping

import bcrypt

_NOBODY = b"$2b$10$DOmUiowh.n0Skz2Nry/kMertZ5b6b3eni8WsmSSHW8iNp3GRlR3HS"
_MOST_REMEMBERED = 100


class BasicAuth:
    """Says whether an Authorization header is good; `users` maps names to bcrypt hashes."""

    def __init__(self) -> None:
        self._salt = os.urandom(16)
        self._good: set[bytes] = set()
        self._lock = threading.Lock()

    def admits(self, header: str, users: Mapping[str, str]) -> bool:
        """Return whether the header holds a user's name and password."""
        name, password = _credentials(header)
        hashed = users.get(name, "").encode()
        key = hmac.new(self._salt, b"\0".join((name.encode(), password, hashed)), hashlib.sha256).digest()
        with self._lock:
            if hashed and key in self._good:
                return True
        # bcrypt looks at 72 bytes, and newer versions of the library refuse more.
        good = bcrypt.checkpw(password[:72], hashed or _NOBODY) and bool(hashed)
        if good:
            with self._lock:
                if len(self._good) >= _MOST_REMEMBERED:
                    self._good.clear()
                self._good.add(key)
        return good


def _credentials(header: str) -> tuple[str, bytes]:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return "", b""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).partition(b":")
        return name.decode(), password
    except (binascii.Error, UnicodeDecodeError):
        return "", b""
