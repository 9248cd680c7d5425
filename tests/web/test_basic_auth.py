"""Basic authentication against bcrypt hashes."""

from __future__ import annotations

import base64
import contextlib
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence

import bcrypt
import pytest

from kcl_flowlog.web.basic_auth import BasicAuth, Verdict
from tests.support.waiting import PATIENCE, eventually
from tests.support.web import basic


def bcrypt_hash(password: bytes, cost: int = 4) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(cost)).decode()


USERS = {"me": bcrypt_hash(b"right"), "größe": bcrypt_hash("schlüssel:1".encode()), "long": bcrypt_hash(b"x" * 72)}
# Hashes that are never computed.
COSTS = {"cheap": "$2b$04$" + "a" * 53, "dear": "$2b$12$" + "a" * 53, "middle": "$2y$10$" + "a" * 53}


class FakeBcrypt:
    """Records each check; a password fits a hash if `fitting` has both. Checks wait while `may_go_on` is unset."""

    def __init__(self, *fitting: tuple[bytes, str]) -> None:
        self.fitting = {(password, hashed.encode()) for password, hashed in fitting}
        self.calls: list[tuple[bytes, bytes]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.calls.append((password, hashed))
        assert self.may_go_on.wait(PATIENCE)
        return (password, hashed) in self.fitting

    def cost(self) -> int:
        """Return the rounds of all checks so far: each takes as long as its cost says."""
        return sum(2 ** int(hashed[4:6]) for _, hashed in self.calls)


@contextlib.contextmanager
def guessing(auth: BasicAuth, checked: FakeBcrypt, clients: Sequence[str]) -> Iterator[list[Verdict]]:
    """Have a thread of each client guess a password, and none finish before the end. Gives their verdicts."""
    verdicts: list[Verdict] = []

    def guess(client: str, number: int) -> None:
        verdicts.append(auth.check(USERS, basic(f"me:guess {number}"), client))

    threads = [threading.Thread(target=guess, args=guess_of) for guess_of in zip(clients, itertools.count())]
    checked.may_go_on.clear()
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(verdicts) + auth.waiting + 1 == len(threads))
    try:
        yield verdicts
    finally:
        checked.may_go_on.set()
        for thread in threads:
            thread.join(PATIENCE)


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
        (basic("me:right\0"), False),
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
    """Every header is accepted or rejected, and a second time the same."""
    auth = BasicAuth()
    verdict = Verdict.ACCEPTED if is_accepted else Verdict.REJECTED

    assert [verdict] * 2 == [auth.check(USERS, authorization, "192.0.2.1") for _ in range(2)]


@pytest.mark.parametrize(
    ("after", "verdict", "checks"),
    [
        (USERS, Verdict.ACCEPTED, 0),
        (dict(USERS), Verdict.ACCEPTED, 1),
        (USERS | {"me": USERS["long"]}, Verdict.REJECTED, 1),
        ({"you": USERS["me"]}, Verdict.REJECTED, 1),
    ],
    ids=["unchanged", "read again", "changed password", "removed user"],
)
def test_a_remembered_success_is_for_the_same_reading_of_the_file_only(
    after: Mapping[str, str], verdict: Verdict, checks: int
) -> None:
    """A file that was read again is believed, and nothing from before."""
    checked = FakeBcrypt((b"right", USERS["me"]))
    auth = BasicAuth(checked)
    auth.check(USERS, basic("me:right"), "192.0.2.1")
    checked.calls.clear()

    assert (verdict, checks) == (auth.check(after, basic("me:right"), "192.0.2.1"), len(checked.calls))


def test_a_success_that_was_checked_while_the_file_changed_is_not_remembered() -> None:
    """It was for the users of before."""
    checked, new_users = FakeBcrypt((b"right", USERS["me"])), dict(USERS)
    auth = BasicAuth(lambda password, hashed: checked(password, hashed) and bool(auth.check(new_users, "", "")))

    auth.check(USERS, basic("me:right"), "192.0.2.1")
    auth.check(new_users, basic("me:right"), "192.0.2.1")

    assert 2 == len(checked.calls)


def test_guesses_do_not_push_out_a_success() -> None:
    """However many there are, the scraper that comes again pays for bcrypt once."""
    checked = FakeBcrypt((b"right", USERS["me"]))
    auth = BasicAuth(checked)
    auth.check(USERS, basic("me:right"), "192.0.2.1")
    for number in range(1000):
        auth.check(USERS, basic(f"{'me' if number % 2 else 'you'}:{number}"), "192.0.2.1")

    verdict = auth.check(USERS, basic("me:right"), "192.0.2.1")

    assert (Verdict.ACCEPTED, 1001) == (verdict, len(checked.calls))
    assert 1 == len(auth._successes)


@pytest.mark.parametrize("user", [*COSTS, "unknown", ""])
def test_each_failure_costs_the_same(user: str) -> None:
    """The time to a rejection, the first and the second, tells neither whether a user exists nor who has what cost."""
    checked = FakeBcrypt()
    auth = BasicAuth(checked)
    costs = []
    for _ in range(2):
        checked.calls.clear()
        auth.check(COSTS, basic(f"{user}:wrong"), "192.0.2.1")
        costs.append(checked.cost())

    assert [2**12, 2**12] == costs


@pytest.mark.parametrize("cost", range(4, 8))
def test_the_hashes_that_only_take_time_fit_bcrypt(cost: int) -> None:
    """No password fits."""
    auth = BasicAuth()
    users = {"cheap": bcrypt_hash(b"right"), "dear": bcrypt_hash(b"other", cost)}

    assert [Verdict.REJECTED, Verdict.REJECTED, Verdict.ACCEPTED] == [
        auth.check(users, basic(credentials), "192.0.2.1") for credentials in ("unknown:", "cheap:x", "cheap:right")
    ]


def test_no_password_is_remembered() -> None:
    """A memory dump tells nothing that bcrypt would have protected, and two processes remember nothing alike."""
    remembered = []
    for _ in range(2):
        auth = BasicAuth()
        auth.check(USERS, basic("me:right"), "192.0.2.1")
        remembered.append(auth._successes["me"])

    assert b"right" not in b"".join(remembered)
    assert remembered[0] != remembered[1]


# Guessers that keep bcrypt busy


def test_a_remembered_success_waits_for_nobody() -> None:
    """A full queue of guessers from the same address does not delay the scraper."""
    checked = FakeBcrypt((b"right", USERS["me"]))
    auth = BasicAuth(checked)
    auth.check(USERS, basic("me:right"), "192.0.2.1")

    with guessing(auth, checked, ["192.0.2.1"] * 12):
        assert Verdict.ACCEPTED is auth.check(USERS, basic("me:right"), "192.0.2.1")


def test_a_guess_too_many_is_refused_without_a_check() -> None:
    """11 wait, each in a thread of the server; others are refused at once."""
    checked = FakeBcrypt()
    auth = BasicAuth(checked)

    with guessing(auth, checked, ["192.0.2.1"] * 20) as verdicts:
        assert ([Verdict.BUSY] * 8, 11) == (verdicts, auth.waiting)
    assert 12 == len(checked.calls)


@pytest.mark.parametrize(
    ("guesser", "client"),
    [
        ("192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8:0:1::1"),
        ("::ffff:192.0.2.1", "192.0.2.2"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("", "192.0.2.2"),
    ],
)
def test_the_right_password_from_another_address_is_next(guesser: str, client: str) -> None:
    """Guessers that fill the queue don't keep a client out that comes for the first time."""
    checked = FakeBcrypt((b"right", USERS["me"]))
    auth = BasicAuth(checked)
    verdicts: list[Verdict] = []
    scraper = threading.Thread(target=lambda: verdicts.append(auth.check(USERS, basic("me:right"), client)))

    with guessing(auth, checked, [guesser] * 20) as refused:
        scraper.start()
        # A guess gives way to it.
        assert eventually(lambda: len(refused) == 9)
    scraper.join(PATIENCE)

    assert [Verdict.ACCEPTED] == verdicts
    assert b"right" == checked.calls[1][0]


def test_the_addresses_of_an_ipv6_network_are_one_client() -> None:
    """A host can take any address of its /64 network."""
    checked = FakeBcrypt()
    auth = BasicAuth(checked)

    with guessing(auth, checked, [f"2001:db8::{number}" for number in range(1, 13)]):
        assert Verdict.BUSY is auth.check(USERS, basic("me:x"), "2001:db8::ffff")
