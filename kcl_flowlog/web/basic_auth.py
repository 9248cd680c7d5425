"""HTTP basic authentication against bcrypt hashes.

A scraper that sends the same right credentials again pays for bcrypt once and
waits for nobody. All other credentials are checked in turn, shared fairly
between client addresses; beyond a few that wait, they are refused unchecked.
Every rejection takes the time of the dearest hash, so response times don't
reveal user names. Knows nothing of HTTP except the `Authorization` header, and
raises nothing for any header.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
import ipaddress
import secrets
import threading
from collections.abc import Callable, Mapping

import bcrypt

from kcl_flowlog.web.fair_gate import FairGate

# Each takes a thread of the web server: half of them, with the thread that checks.
_MAX_WAITING = 11
# bcrypt reads only this many bytes of a password. Other libraries cut longer passwords silently; this one raises.
_MAX_PASSWORD_BYTES = 72


class Verdict(enum.Enum):
    """What is known of credentials; `BUSY` means that they were not checked, because too many others wait."""

    ACCEPTED = enum.auto()
    REJECTED = enum.auto()
    BUSY = enum.auto()


class BasicAuth:
    """Checks `Authorization` headers. Safe to use from several threads.

    `check_password(password, hash)` says whether a password matches a bcrypt hash.
    """

    def __init__(self, check_password: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._check_password = check_password
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._users: Mapping[str, str] = {}
        # The keyed digest of each user's right password, once it was given. Failures are not kept: they have no bound.
        self._successes: dict[str, bytes] = {}
        # One bcrypt at a time: guessing passwords must not occupy every CPU of the host.
        self._gate = FairGate(_MAX_WAITING)

    @property
    def waiting(self) -> int:
        """How many threads wait for their turn."""
        return self._gate.waiting

    def check(self, users: Mapping[str, str], authorization: str, address: str) -> Verdict:
        """Say whether the header of a client at `address` holds valid credentials.

        `users` maps each user name to the bcrypt hash of its password; it must not be empty. A success is remembered
        until `users` is another object, as after a change of the file.
        """
        credentials = _decode(authorization)
        if credentials is None:
            return Verdict.REJECTED
        user, password = credentials
        digest = hashlib.blake2b(password, key=self._secret).digest()
        if self._is_remembered(users, user, digest):
            return Verdict.ACCEPTED
        with self._gate.turn(_network(address)) as has_turn:
            if not has_turn:
                return Verdict.BUSY
            if not self._matches(users, user, password):
                return Verdict.REJECTED
        with self._lock:
            if self._users is users:
                self._successes[user] = digest
        return Verdict.ACCEPTED

    def _is_remembered(self, users: Mapping[str, str], user: str, digest: bytes) -> bool:
        with self._lock:
            if self._users is not users:
                self._users, self._successes = users, {}
            return hmac.compare_digest(self._successes.get(user, b""), digest)

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


def _network(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 network in which an IPv6 host takes any address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or int(parsed) >> 64)


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
