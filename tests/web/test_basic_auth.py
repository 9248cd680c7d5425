"""Basic authentication against bcrypt hashes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import bcrypt
import pytest

from kcl_flowlog.web.basic_auth import MAX_WAITING, BasicAuth, Verdict
from kcl_flowlog.web.worker import Worker
from tests.support.waiting import PATIENCE
from tests.support.web import basic


def bcrypt_hash(password: bytes, cost: int = 4) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(cost)).decode()


USERS = {"me": bcrypt_hash(b"right"), "größe": bcrypt_hash("schlüssel:1".encode()), "long": bcrypt_hash(b"x" * 72)}
# Hashes that are never computed.
COSTS = {"cheap": "$2b$04$" + "a" * 53, "dear": "$2b$12$" + "a" * 53, "middle": "$2y$10$" + "a" * 53}


class FakeBcrypt:
    """Records each check; a password fits a hash if `fitting` has both. Checks wait while `may_go_on` is unset.

    Two checks at a time fail the test.
    """

    def __init__(self, *fitting: tuple[bytes, str]) -> None:
        self.fitting = {(password, hashed.encode()) for password, hashed in fitting}
        self.calls: list[tuple[bytes, bytes]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self._is_checking = threading.Lock()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        assert self._is_checking.acquire(blocking=False)
        with contextlib.ExitStack() as stack:
            stack.callback(self._is_checking.release)
            self.calls.append((password, hashed))
            assert self.may_go_on.wait(PATIENCE)
        return (password, hashed) in self.fitting

    def cost(self) -> int:
        """Return the rounds of all checks so far: each takes as long as its cost says."""
        return sum(2 ** int(hashed[4:6]) for _, hashed in self.calls)


class Client:
    """Asks a `BasicAuth` that checks as the pages do."""

    def __init__(self, check_password: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._worker = Worker("test", MAX_WAITING)
        self.auth = BasicAuth(self._worker, check_password)
        self._loop = asyncio.new_event_loop()

    def check(self, users: Mapping[str, str], authorization: str, network: str = "192.0.2.1") -> Verdict:
        """Return the verdict."""
        return self._loop.run_until_complete(self.auth.check(users, authorization, network))

    def begin(self, credentials: str, network: str = "192.0.2.1") -> asyncio.Task[Verdict]:
        """Return a check that has its turn, waits, or is refused; so is whoever gives way to it."""
        task = self._loop.create_task(self.auth.check(USERS, basic(credentials), network))
        for _ in range(3):
            self._loop.run_until_complete(asyncio.sleep(0))
        return task

    def verdicts(self, tasks: Sequence[asyncio.Task[Verdict]]) -> list[Verdict]:
        """Wait for all verdicts."""
        return list(self._loop.run_until_complete(asyncio.gather(*tasks)))

    def close(self) -> None:
        self._worker.stop()
        self._loop.close()


Connect = Callable[..., Client]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients, and ends them after the test."""
    with contextlib.ExitStack() as stack:

        def connect(*arguments: Callable[[bytes, bytes], bool]) -> Client:
            client = Client(*arguments)
            stack.callback(client.close)
            return client

        yield connect


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
def test_only_a_known_user_with_the_right_password_is_accepted(
    connect: Connect, authorization: str, is_accepted: bool
) -> None:
    """Every header is accepted or rejected, and a second time the same."""
    client = connect()
    verdict = Verdict.ACCEPTED if is_accepted else Verdict.REJECTED

    assert [verdict] * 2 == [client.check(USERS, authorization) for _ in range(2)]


def test_only_accepted_credentials_are_remembered(connect: Connect) -> None:
    """The same password of another user, or a new hash, is another matter."""
    client = connect()
    before = client.auth.remembers(USERS, basic("me:right"))
    for credentials in ("me:right", "me:wrong", "you:right"):
        client.check(USERS, basic(credentials))

    assert not before
    assert [True, False, False, False, False, False, False] == [
        client.auth.remembers(USERS, authorization)
        for authorization in (
            *(basic(credentials) for credentials in ("me:right", "me:wrong", "me:", "you:right", "größe:right")),
            "Basic %%%",
            "",
        )
    ]
    assert not client.auth.remembers({"me": bcrypt_hash(b"new")}, basic("me:right"))


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
    connect: Connect, after: Mapping[str, str], verdict: Verdict, checks: int
) -> None:
    """A file that was read again is believed, and nothing from before."""
    checked = FakeBcrypt((b"right", USERS["me"]))
    client = connect(checked)
    client.check(USERS, basic("me:right"))
    checked.calls.clear()

    assert (verdict, checks) == (client.check(after, basic("me:right")), len(checked.calls))


def test_a_success_that_was_checked_while_the_file_changed_is_not_remembered(connect: Connect) -> None:
    """It was for the users of before."""
    checked, new_users = FakeBcrypt((b"right", USERS["me"])), dict(USERS)
    client = connect(checked)
    checked.may_go_on.clear()

    check = client.begin("me:right")
    is_known_before = client.auth.remembers(new_users, "")
    checked.may_go_on.set()
    verdicts = [*client.verdicts([check]), client.check(new_users, basic("me:right"))]

    assert (False, [Verdict.ACCEPTED] * 2) == (is_known_before, verdicts)
    assert 2 == len(checked.calls)


def test_guesses_do_not_push_out_a_success(connect: Connect) -> None:
    """However many there are, the scraper that comes again pays for bcrypt once."""
    checked = FakeBcrypt((b"right", USERS["me"]))
    client = connect(checked)
    client.check(USERS, basic("me:right"))
    for number in range(1000):
        client.check(USERS, basic(f"{'me' if number % 2 else 'you'}:{number}"))

    verdict = client.check(USERS, basic("me:right"))

    assert (Verdict.ACCEPTED, 1001) == (verdict, len(checked.calls))
    assert 1 == len(client.auth._successes)


@pytest.mark.parametrize("user", [*COSTS, "unknown", ""])
def test_each_failure_costs_the_same(connect: Connect, user: str) -> None:
    """The time to a rejection, the first and the second, tells neither whether a user exists nor who has what cost."""
    checked = FakeBcrypt()
    client = connect(checked)
    costs = []
    for _ in range(2):
        checked.calls.clear()
        client.check(COSTS, basic(f"{user}:wrong"))
        costs.append(checked.cost())

    assert [2**12, 2**12] == costs


@pytest.mark.parametrize("cost", range(4, 8))
def test_the_hashes_that_only_take_time_fit_bcrypt(connect: Connect, cost: int) -> None:
    """No password fits."""
    client = connect()
    users = {"cheap": bcrypt_hash(b"right"), "dear": bcrypt_hash(b"other", cost)}

    assert [Verdict.REJECTED, Verdict.REJECTED, Verdict.ACCEPTED] == [
        client.check(users, basic(credentials)) for credentials in ("unknown:", "cheap:x", "cheap:right")
    ]


def test_no_password_is_remembered(connect: Connect) -> None:
    """A memory dump tells nothing that bcrypt would have protected, and two processes remember nothing alike."""
    remembered = []
    for _ in range(2):
        client = connect()
        client.check(USERS, basic("me:right"))
        remembered.append(client.auth._successes["me"])

    assert b"right" not in b"".join(remembered)
    assert remembered[0] != remembered[1]


# Guessers that keep bcrypt busy


def test_a_remembered_success_waits_for_nobody(connect: Connect) -> None:
    """A full queue of guessers from the same network does not delay the scraper."""
    checked = FakeBcrypt((b"right", USERS["me"]))
    client = connect(checked)
    client.check(USERS, basic("me:right"))
    checked.may_go_on.clear()
    guesses = [client.begin(f"me:guess {number}") for number in range(12)]

    scrape = client.begin("me:right")

    assert (True, [False] * 12) == (scrape.done(), [guess.done() for guess in guesses])
    assert Verdict.ACCEPTED is scrape.result()
    checked.may_go_on.set()
    client.verdicts(guesses)


@pytest.mark.parametrize("authorization", ["", "Bearer x", "Basic %%%"])
def test_a_header_without_credentials_waits_for_nobody(connect: Connect, authorization: str) -> None:
    """A browser sends none at first; it learns at once that it needs them."""
    checked = FakeBcrypt()
    client = connect(checked)
    checked.may_go_on.clear()
    guesses = [client.begin(f"me:guess {number}") for number in range(12)]

    assert Verdict.REJECTED is client.check(USERS, authorization)
    checked.may_go_on.set()
    client.verdicts(guesses)


def test_a_guess_too_many_is_refused_without_a_check(connect: Connect) -> None:
    """11 wait; others are refused at once."""
    checked = FakeBcrypt()
    client = connect(checked)
    checked.may_go_on.clear()
    guesses = [client.begin(f"me:guess {number}") for number in range(20)]
    decided = [guess.done() for guess in guesses]
    checked.may_go_on.set()

    assert [Verdict.REJECTED] * 12 + [Verdict.BUSY] * 8 == client.verdicts(guesses)
    assert [False] * 12 + [True] * 8 == decided
    assert 12 == len(checked.calls)


def test_the_right_password_from_another_network_is_next(connect: Connect) -> None:
    """Guessers that fill the queue don't keep a client out that comes for the first time."""
    checked = FakeBcrypt((b"right", USERS["me"]))
    client = connect(checked)
    checked.may_go_on.clear()
    guesses = [client.begin(f"me:guess {number}") for number in range(12)]
    scrape = client.begin("me:right", "192.0.2.2")
    # A guess gives way to it.
    gave_way = [guess.done() for guess in guesses]
    checked.may_go_on.set()

    assert [Verdict.REJECTED] * 11 + [Verdict.BUSY, Verdict.ACCEPTED] == client.verdicts([*guesses, scrape])
    assert [False] * 11 + [True] == gave_way
    assert b"right" == checked.calls[1][0]
