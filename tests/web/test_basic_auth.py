"""Basic authentication against bcrypt hashes."""

from __future__ import annotations

import base64

import bcrypt
import pytest

from kcl_flowlog.web.basic_auth import BasicAuth
from tests.support.web import basic


def bcrypt_hash(password: bytes) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()


USERS = {"me": bcrypt_hash(b"right"), "größe": bcrypt_hash("schlüssel:1".encode()), "long": bcrypt_hash(b"x" * 72)}


class CountedBcrypt:
    """bcrypt that records each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, bytes]] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.calls.append((password, hashed))
        return bcrypt.checkpw(password, hashed)


@pytest.mark.parametrize(
    ("authorization", "is_accepted"),
    [
        (basic("me:right"), True),
        (basic("me:right").replace("Basic", "basic"), True),
        (basic("größe:schlüssel:1"), True),
        (basic("long:" + "x" * 72), True),
        (basic("long:" + "x" * 80), True),
        (basic("long:" + "x" * 71), False),
        (basic("me:wrong"), False),
        (basic("me:"), False),
        (basic("me"), False),
        (basic("you:right"), False),
        (basic(":right"), False),
        (basic("me:right").replace("Basic", "Bearer"), False),
        ("Basic", False),
        ("Basic %%%", False),
        ("Basic ä", False),
        ("Basic " + base64.b64encode(b"\xff:right").decode(), False),
        ("", False),
    ],
)
def test_only_a_known_user_with_the_right_password_is_accepted(authorization: str, is_accepted: bool) -> None:
    """Every header is accepted or rejected, and the cached answer is the same."""
    auth = BasicAuth()

    assert [is_accepted] * 2 == [auth.accepts(USERS, authorization) for _ in range(2)]


def test_only_accepted_credentials_are_remembered() -> None:
    """A hash of the same password for another user, or a new hash, is another matter."""
    auth = BasicAuth()
    before = auth.remembers(USERS, basic("me:right"))
    for credentials in ("me:right", "me:wrong", "you:right"):
        auth.accepts(USERS, basic(credentials))

    assert not before
    assert [True, False, False, False, False] == [
        auth.remembers(USERS, authorization)
        for authorization in (basic("me:right"), basic("me:wrong"), basic("you:right"), "Basic %%%", "")
    ]
    assert not auth.remembers({"me": bcrypt_hash(b"new")}, basic("me:right"))


def test_a_changed_password_is_rejected() -> None:
    """A result for an old hash does not apply to the new hash."""
    auth = BasicAuth()
    auth.accepts({"me": bcrypt_hash(b"old")}, basic("me:old"))

    assert not auth.accepts({"me": bcrypt_hash(b"new")}, basic("me:old"))


def test_a_removed_user_is_rejected() -> None:
    """A cached result does not outlive its user."""
    auth = BasicAuth()
    auth.accepts({"me": USERS["me"]}, basic("me:right"))

    assert not auth.accepts({"you": USERS["me"]}, basic("me:right"))


def test_the_same_credentials_pay_for_bcrypt_once() -> None:
    """A scraper that comes back is accepted from the cache."""
    checked = CountedBcrypt()
    auth = BasicAuth(checked)

    answers = [auth.accepts(USERS, basic("me:right")) for _ in range(6)]

    assert [True] * 6 == answers
    assert [(b"right", USERS["me"].encode())] == checked.calls


def test_an_unknown_user_pays_for_bcrypt_too() -> None:
    """The time to a rejection does not tell whether the user exists."""
    checked = CountedBcrypt()

    is_accepted = BasicAuth(checked).accepts({"me": USERS["me"]}, basic("you:right"))

    assert not is_accepted
    assert [(b"right", USERS["me"].encode())] == checked.calls


def test_the_cache_keeps_the_100_credentials_used_last() -> None:
    """Guesses push each other out, but not the credentials that are in use."""
    checked = CountedBcrypt()
    auth = BasicAuth(checked)
    for number in range(150):
        auth.accepts(USERS, basic("me:right"))
        auth.accepts(USERS, basic(f"me:{number}"))
    before = len(checked.calls)

    auth.accepts(USERS, basic("me:right"))
    auth.accepts(USERS, basic("me:149"))
    auth.accepts(USERS, basic("me:51"))
    auth.accepts(USERS, basic("me:50"))

    assert 151 == before
    assert [b"50"] == [password for password, _ in checked.calls[before:]]


def test_the_cache_holds_no_password() -> None:
    """A memory dump of the cache tells nothing that bcrypt would have protected."""
    auth = BasicAuth()
    auth.accepts(USERS, basic("me:right"))

    assert b"right" not in b"".join(auth._results)
