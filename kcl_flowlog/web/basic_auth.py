"""HTTP basic authentication against bcrypt hashes.

A scraper that sends the same right credentials again pays for bcrypt once and
waits for nobody. All other credentials are checked in a thread, shared fairly
between the networks of the clients; beyond a few that wait, they are refused
unchecked. Every rejection takes the time of the dearest hash, so response times
don't reveal user names. Knows nothing of HTTP except the `Authorization`
header, and raises nothing for any header.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from functools import partial

import bcrypt

from kcl_flowlog.web.worker import TooManyWaiting, Worker

MAX_WAITING = 11
"""How many clients wait for a check. More would make a first scrape from a guesser's own network wait longer."""

# bcrypt reads only this many bytes of a password. Other libraries cut longer passwords silently; this one raises.
_MAX_PASSWORD_BYTES = 72


class Verdict(enum.Enum):
    """What is known of credentials; `BUSY` means that they were not checked, because too many others wait."""

    ACCEPTED = enum.auto()
    REJECTED = enum.auto()
    BUSY = enum.auto()


class BasicAuth:
    """Checks `Authorization` headers. All methods belong to the event loop's thread.

    `worker` checks one password at a time: guessing must not occupy every CPU of the host. `check_password(password,
    hash)` says whether a password matches a bcrypt hash.
    """

    def __init__(self, worker: Worker, check_password: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._worker = worker
        self._check_password = check_password
        self._secret = secrets.token_bytes(32)
        self._users: Mapping[str, str] = {}
        # The keyed digest of each user's right password, once it was given. Failures are not kept: they have no bound.
        self._successes: dict[str, bytes] = {}

    def remembers(self, users: Mapping[str, str], authorization: str) -> bool:
        """Say at once whether the header was accepted before, since `users` became this object."""
        if self._users is not users:
            self._users, self._successes = users, {}
        credentials = _decode(authorization)
        if credentials is None:
            return False
        user, password = credentials
        return hmac.compare_digest(self._successes.get(user, b""), self._digest(password))

    async def check(self, users: Mapping[str, str], authorization: str, network: str) -> Verdict:
        """Say whether the header of a client in `network` holds valid credentials.

        `users` maps each user name to the bcrypt hash of its password; it must not be empty. A success is remembered
        until `users` is another object, as after a change of the file.
        """
        if self.remembers(users, authorization):
            return Verdict.ACCEPTED
        credentials = _decode(authorization)
        if credentials is None:
            return Verdict.REJECTED
        user, password = credentials
        try:
            is_right = await self._worker.do(partial(self._matches, users, user, password), network)
        except TooManyWaiting:
            return Verdict.BUSY
        if not is_right:
            return Verdict.REJECTED
        if self._users is users:
            self._successes[user] = self._digest(password)
        return Verdict.ACCEPTED

    def _digest(self, password: bytes) -> bytes:
        return hashlib.blake2b(password, key=self._secret).digest()

    def _matches(self, users: Mapping[str, str], user: str, password: bytes) -> bool:
        """Check a password; if it is wrong, for as long as the dearest hash takes."""
        dearest = max(map(_cost, users.values()))
        if user not in users:
            self._check_password(password, _no_hash(dearest))
            return False
        if self._check_password(password, users[user].encode()):
            return True
        # Each cost takes twice the time of the cost below: n + n + 2n + 4n … make up the difference.
        for cost in range(_cost(users[user]), dearest):
            self._check_password(password, _no_hash(cost))
        return False


def _cost(hashed: str) -> int:
    return int(hashed[4:6])


def _no_hash(cost: int) -> bytes:
    """Return a hash of that cost that no known password fits."""
    return b"$2b$%02d$" % cost + b"." * 53


def _decode(authorization: str) -> tuple[str, bytes] | None:
    """Return user name and password, or None if the header is not valid basic authentication."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password[:_MAX_PASSWORD_BYTES]) if colon else None
    except (binascii.Error, ValueError):
        return None
