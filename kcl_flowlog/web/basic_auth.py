"""HTTP basic authentication against bcrypt hashes.

An unknown user costs a client as much time as a wrong password, so response
times don't reveal user names. A scraper that sends the same credentials again
pays for bcrypt once. Knows nothing of HTTP except the `Authorization` header;
every header, valid or not, is either accepted or rejected.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

import bcrypt

_CACHED_RESULTS = 100
# bcrypt reads only this many bytes of a password. Other libraries cut longer passwords silently; this one raises.
_MAX_PASSWORD_BYTES = 72


class BasicAuth:
    """Checks `Authorization` headers. Safe to use from several threads.

    `check_password(password, hash)` says whether a password matches a bcrypt hash.
    """

    def __init__(self, check_password: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._check_password = check_password
        self._secret = secrets.token_bytes(32)
        self._results: OrderedDict[bytes, bool] = OrderedDict()
        self._lock = threading.Lock()
        # One bcrypt at a time: guessing passwords must not occupy every CPU of the host.
        self._bcrypt_lock = threading.Lock()

    def accepts(self, users: Mapping[str, str], authorization: str) -> bool:
        """Say whether the header holds valid credentials.

        `users` maps each user name to the bcrypt hash of its password; it must not be empty.
        """
        credentials = _decode(authorization)
        if credentials is None:
            return False
        user, password = credentials
        # An unknown user is checked against any hash, for the time that takes, and rejected whatever the result.
        is_known = user in users
        hashed = users[user] if is_known else next(iter(users.values()))
        return self._matches(user, password, hashed) and is_known

    def remembers(self, users: Mapping[str, str], authorization: str) -> bool:
        """Say whether the header was accepted before, at once: without a hash and without waiting for others."""
        credentials = _decode(authorization)
        if credentials is None or credentials[0] not in users:
            return False
        user, password = credentials
        key = self._cache_key(user.encode(), users[user].encode(), password)
        with self._lock:
            return self._results.get(key, False)

    def _matches(self, user: str, password: bytes, hashed: str) -> bool:
        key = self._cache_key(user.encode(), hashed.encode(), password)
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        with self._bcrypt_lock:
            result = self._check_password(password[:_MAX_PASSWORD_BYTES], hashed.encode())
        with self._lock:
            self._results[key] = result
            if len(self._results) > _CACHED_RESULTS:
                self._results.popitem(last=False)
        return result

    def _cache_key(self, *parts: bytes) -> bytes:
        """Return a keyed digest, so that the cache holds no password."""
        digest = hashlib.blake2b(key=self._secret)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()


def _decode(authorization: str) -> tuple[str, bytes] | None:
    """Return user name and password, or None if the header is not valid basic authentication."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
