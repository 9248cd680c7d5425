"""Basic authentication against bcrypt hashes.

Promises that a wrong name costs a caller as much time as a wrong password,
and that a scraper with the right ones pays for bcrypt once. Knows a header
and hashes, nothing else; whatever the header holds, the answer is yes or no.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping

import bcrypt

_REMEMBERED = 100
# bcrypt knows no more of a password; other implementations ignore the rest silently, this one refuses it.
_LONGEST_PASSWORD = 72


class BasicAuth:
    """Checks `Authorization` headers. Safe to use from many threads."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, bool] = OrderedDict()
        self._lock = threading.Lock()
        # One check at a time: guessing passwords must not take every processor of the host.
        self._checking = threading.Lock()

    def admits(self, users: Mapping[str, str], authorization: str) -> bool:
        """Tell whether the header names one of `users`, who have bcrypt hashes, with the right password."""
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        user, password = credentials
        # An unknown user is checked all the same, against anyone's hash, and fails whatever comes out.
        known = user in users
        hashed = users[user] if known else next(iter(users.values()))
        return self._matches(password, hashed, user) and known

    def _matches(self, password: bytes, hashed: str, user: str) -> bool:
        key = self._key(user.encode(), hashed.encode(), password)
        with self._lock:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        with self._checking:
            outcome = bcrypt.checkpw(password[:_LONGEST_PASSWORD], hashed.encode())
        with self._lock:
            self._remembered[key] = outcome
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return outcome

    def _key(self, *parts: bytes) -> bytes:
        """Return what an outcome is remembered under, which tells nobody the password."""
        digest = hashlib.blake2b(key=self._secret)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
