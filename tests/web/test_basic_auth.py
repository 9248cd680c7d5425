"""Basic authentication against bcrypt hashes."""

import base64
import statistics
import time

import bcrypt
import pytest

from kcl_flowlog.web.basic_auth import BasicAuth


def hashed(password, rounds=4):
    return bcrypt.hashpw(password, bcrypt.gensalt(rounds)).decode()


def header(credentials):
    return "Basic " + base64.b64encode(credentials.encode()).decode()


USERS = {"me": hashed(b"right"), "größe": hashed("schlüssel:1".encode()), "long": hashed(b"x" * 72)}


@pytest.mark.parametrize(
    ("authorization", "is_admitted"),
    [
        (header("me:right"), True),
        (header("me:right").replace("Basic", "basic"), True),
        (header("größe:schlüssel:1"), True),
        (header("long:" + "x" * 72), True),
        (header("long:" + "x" * 80), True),
        (header("long:" + "x" * 71), False),
        (header("me:wrong"), False),
        (header("me:"), False),
        (header("me"), False),
        (header("you:right"), False),
        (header(":right"), False),
        (header("me:right").replace("Basic", "Bearer"), False),
        ("Basic", False),
        ("Basic %%%", False),
        ("Basic ä", False),
        ("Basic " + base64.b64encode(b"\xff:right").decode(), False),
        ("", False),
    ],
)
def test_only_the_right_name_and_password_are_admitted(authorization, is_admitted):
    """Whatever a header holds is admitted or not, the first time and the second."""
    auth = BasicAuth()

    assert [is_admitted] * 2 == [auth.admits(USERS, authorization) for _ in range(2)]


def test_a_changed_password_no_longer_admits():
    """What is remembered of an old hash says nothing about the new one."""
    auth = BasicAuth()
    auth.admits({"me": hashed(b"old")}, header("me:old"))

    assert not auth.admits({"me": hashed(b"new")}, header("me:old"))


def test_a_user_who_was_removed_is_out():
    """What is remembered of a user lasts no longer than the user."""
    auth = BasicAuth()
    auth.admits({"me": USERS["me"]}, header("me:right"))

    assert not auth.admits({"you": USERS["me"]}, header("me:right"))


def test_bcrypt_is_paid_once_for_the_same_credentials():
    """A scraper that comes back is admitted in a small part of the time of the first check."""
    auth, users = BasicAuth(), {"me": hashed(b"right", 10)}

    first, *later = [_seconds(lambda: auth.admits(users, header("me:right"))) for _ in range(6)]

    assert statistics.median(later) < first / 10


def test_an_unknown_name_takes_as_long_as_a_wrong_password():
    """The time to an answer doesn't tell whether there is such a user."""
    auth, users = BasicAuth(), {"me": hashed(b"right", 8)}

    known = [_seconds(lambda n=n: auth.admits(users, header(f"me:{n}"))) for n in range(5)]
    unknown = [_seconds(lambda n=n: auth.admits(users, header(f"you:{n}"))) for n in range(5)]

    assert min(unknown) > min(known) / 2


def test_what_is_remembered_is_bounded():
    """Guesses push each other out of the memory, and the answers stay right."""
    auth = BasicAuth()
    for n in range(150):
        auth.admits(USERS, header(f"me:{n}"))

    assert 100 == len(auth._remembered)
    assert auth.admits(USERS, header("me:right"))


def _seconds(do):
    start = time.perf_counter()
    do()
    return time.perf_counter() - start
