"""The web configuration in force while its files change."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.file_state import SURE_AFTER
from kcl_flowlog.web.web_config import WebConfig, load
from kcl_flowlog.web.web_config_keeper import SETTLE, ActiveWebConfig, WebConfigKeeper
from tests.support.certificates import Authority

Write = Callable[[str], Path]

HASH = "$2b$04$xfBjg2YFpKPC47wJ62CvbOEl.S3cbzWWZLRMqYtNruAuDdZFIbMg2"
ONE_USER = f"basic_auth_users: {{me: {HASH}}}"
TWO_USERS = f"basic_auth_users:\n  me: {HASH}\n  you: {HASH}\n"
HEADERS = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n"
TLS = "tls_server_config:\n  min_version: TLS13\n  cert_file: crt\n  key_file: key\n"
MUTUAL = TLS + "  client_ca_file: ca\n  client_auth_type: RequireAndVerifyClientCert\n"
PROTECTED = HEADERS + MUTUAL + TWO_USERS
INVALID = "Invalid web configuration; keeping the last valid one"
WEAKER = "The changed web configuration protects less; waiting until the file stays unchanged"
READ = "Read the changed web configuration"


class FakeClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def certificates(authority: Authority, tmp_path: Path) -> None:
    """The files `crt`, `key` and `ca` beside the web configuration."""
    issued = authority.issue("server")
    for name, source in (("crt", issued.cert), ("key", issued.key), ("ca", authority.cert)):
        (tmp_path / name).write_bytes(source.read_bytes())


def replace(path: Path, content: bytes) -> None:
    """Replace a file in one step, as a renewal of certificates does."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    os.replace(fresh, path)


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(record.levelno, record.getMessage()) for record in caplog.records]


def test_without_a_file_the_server_is_plain_http_for_everybody() -> None:
    """An empty path means no file."""
    keeper = WebConfigKeeper("")

    assert [ActiveWebConfig(WebConfig(), None)] * 2 == [keeper.current(), keeper.current()]


@pytest.mark.parametrize("text", ["users: {}", "", "# later\n", "basic_auth_users:\n"])
def test_the_first_read_of_an_invalid_file_raises(write: Write, text: str) -> None:
    """So does the second: neither an invalid file nor an empty file counts as an open server."""
    keeper = WebConfigKeeper(str(write(text)))

    for _ in range(2):
        with pytest.raises(ConfigError, match=r"web\.yml"):
            keeper.current()


def test_an_unchanged_file_is_parsed_once(write: Write) -> None:
    """Requests without a change in between share the configuration."""
    keeper = WebConfigKeeper(str(write(ONE_USER)))

    assert keeper.current() is keeper.current()


@pytest.mark.usefixtures("certificates")
def test_requests_do_not_read_files_that_stay_unchanged(
    write: Write, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request asks for the configuration several times."""
    keeper = WebConfigKeeper(str(write(PROTECTED)), clock)
    keeper.current()
    clock.now += SURE_AFTER
    before = keeper.current()

    def read(path: Path) -> bytes:
        raise AssertionError(path)

    monkeypatch.setattr(Path, "read_bytes", read)

    assert {id(before)} == {id(keeper.current()) for _ in range(100)}


def test_a_changed_file_is_in_force_at_once(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """The next request sees an added user, and the log says so."""
    keeper = WebConfigKeeper(str(write(ONE_USER)))
    keeper.current()

    path = write(TWO_USERS)
    with caplog.at_level(logging.INFO):
        users = keeper.current().config.users

    assert {"me", "you"} == set(users)
    (record,) = caplog.records
    assert (logging.INFO, READ) == (record.levelno, record.getMessage())
    assert {"file": str(path)} == record.fields  # type: ignore[attr-defined]


def test_a_change_that_leaves_time_and_size_alone_is_seen(write: Write) -> None:
    """File systems with coarse times show two writes in a row as one."""
    path = write(ONE_USER)
    keeper = WebConfigKeeper(str(path))
    keeper.current()
    before = path.stat()

    path.write_text(ONE_USER.replace("Mg", "Ng"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert {"me": HASH.replace("Mg", "Ng")} == keeper.current().config.users


def test_a_broken_change_is_one_warning_and_changes_nothing(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """A protected server stays protected, and the log does not grow with each request."""
    keeper = WebConfigKeeper(str(write(ONE_USER)))
    before = keeper.current()

    path = write("basic_auth_users: [")
    after = [keeper.current() for _ in range(3)]

    assert [before] * 3 == after
    (record,) = caplog.records
    assert (logging.WARNING, INVALID) == (record.levelno, record.getMessage())
    assert str(path) == record.fields["file"]  # type: ignore[attr-defined]
    assert "YAML" in record.fields["error"]  # type: ignore[attr-defined]


# What is lost by accident


@pytest.mark.usefixtures("certificates")
@pytest.mark.parametrize("sections", [PROTECTED, TWO_USERS + MUTUAL + HEADERS, MUTUAL + TWO_USERS])
def test_no_beginning_of_the_file_is_ever_served(write: Write, clock: FakeClock, sections: str) -> None:
    """A copy over the file stops anywhere: in the middle of a line or at its end. The last good state stays."""
    keeper = WebConfigKeeper(str(write(sections)), clock)
    before = keeper.current()
    ends = [number for number, character in enumerate(sections) if character in "\n:"]
    # The last newline is not missed.
    cuts = sorted({0, *ends, *(end + 1 for end in ends)} - {len(sections) - 1, len(sections)})

    served = set()
    for cut in cuts:
        write(sections[:cut])
        served.add(id(keeper.current()))
        clock.now += SETTLE - 0.1
        write(sections[:cut] + "#")
        served.add(id(keeper.current()))

    assert {id(before)} == served


@pytest.mark.usefixtures("certificates")
@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "{}", "basic_auth_users:\n", "tls_server_config:\n"])
def test_an_emptied_file_or_section_is_never_served(
    write: Write, clock: FakeClock, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody means an empty file, however long it stays."""
    keeper = WebConfigKeeper(str(write(PROTECTED)), clock)
    before = keeper.current()

    write(text)
    served = [keeper.current()]
    for _ in range(3):
        clock.now += 1000 * SETTLE
        served.append(keeper.current())

    assert [before] * 4 == served
    assert [(logging.WARNING, INVALID)] == messages(caplog)


@pytest.mark.usefixtures("certificates")
@pytest.mark.parametrize(
    ("after", "lost"),
    [
        (HEADERS + MUTUAL, "user me, user you"),
        (PROTECTED.replace(f"  you: {HASH}\n", ""), "user you"),
        (HEADERS + MUTUAL + "basic_auth_users: {}\n", "user me, user you"),
        (MUTUAL + TWO_USERS, "header X-Frame-Options"),
        (HEADERS + TLS + TWO_USERS, "certificate 1 of client_ca, client certificates"),
        (PROTECTED.replace("  min_version: TLS13\n", ""), "min_version TLS13"),
        (
            HEADERS + TWO_USERS,
            "TLS, certificate 1 of cert, certificate 1 of client_ca, client certificates, min_version TLS13",
        ),
    ],
)
def test_less_protection_waits_until_the_file_stays_unchanged(
    write: Write, clock: FakeClock, after: str, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that protects less and stays is meant: one warning, then one line when it is in force."""
    caplog.set_level(logging.INFO)
    path = write(PROTECTED)
    keeper = WebConfigKeeper(str(path), clock)
    before = keeper.current()

    write(after)
    while_fresh = []
    for _ in range(4):
        while_fresh.append(keeper.current())
        clock.now += SETTLE / 4
    settled = [keeper.current() for _ in range(3)]

    assert [before] * 4 == while_fresh
    assert [settled[0]] * 3 == settled
    assert settled[0] is not before
    assert [(logging.WARNING, WEAKER), (logging.INFO, READ)] == messages(caplog)
    assert [{"file": str(path), "lost": lost, "seconds": SETTLE}, {"file": str(path), "lost": lost}] == [
        record.fields  # type: ignore[attr-defined]
        for record in caplog.records
    ]


def test_a_file_that_keeps_changing_is_not_settled(write: Write, clock: FakeClock) -> None:
    """Each change begins the wait anew, whether or not time and size tell of it."""
    path = write(TWO_USERS)
    keeper = WebConfigKeeper(str(path), clock)
    before = keeper.current()

    served = []
    for number in range(10):
        write(f"{HEADERS}# {number}\n")
        os.utime(path, ns=(0, 0))
        served.append(keeper.current())
        clock.now += SETTLE - 0.1

    assert [before] * 10 == served


def test_a_file_that_is_complete_again_is_in_force_at_once(
    write: Write, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The wait is for less protection only; a later loss is a warning again."""
    caplog.set_level(logging.INFO)
    keeper = WebConfigKeeper(str(write(HEADERS + ONE_USER)), clock)
    keeper.current()

    users = []
    for text in (HEADERS, HEADERS + TWO_USERS, HEADERS):
        write(text)
        users.append(sorted(keeper.current().config.users))

    assert [["me"], ["me", "you"], ["me", "you"]] == users
    assert [(logging.WARNING, WEAKER), (logging.INFO, READ), (logging.WARNING, WEAKER)] == messages(caplog)


def test_a_file_that_vanishes_and_returns_is_one_warning(
    write: Write, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What was in force stays in force during the gap, however long it is."""
    path = write(ONE_USER)
    keeper = WebConfigKeeper(str(path), clock)
    keeper.current()

    path.unlink()
    during = []
    for _ in range(3):
        during.append(set(keeper.current().config.users))
        clock.now += 10 * SETTLE
    write(TWO_USERS)
    after = set(keeper.current().config.users)

    assert ([{"me"}] * 3, {"me", "you"}) == (during, after)
    assert [(logging.WARNING, INVALID)] == messages(caplog)


# Certificates


def test_a_half_renewed_certificate_waits_for_its_key(
    write: Write, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A new certificate with the old key is not served; with its own key it is."""
    old, new = authority.issue("old"), authority.issue("new")
    cert, key = tmp_path / "crt", tmp_path / "key"
    cert.write_bytes(old.cert.read_bytes())
    key.write_bytes(old.key.read_bytes())
    keeper = WebConfigKeeper(str(write("tls_server_config: {cert_file: crt, key_file: key}")))
    before = keeper.current().context

    replace(cert, new.cert.read_bytes())
    half = keeper.current().context
    replace(key, new.key.read_bytes())
    after = keeper.current().context

    assert half is before
    assert after is not before
    assert [(logging.WARNING, INVALID)] == messages(caplog)


@pytest.mark.usefixtures("certificates")
@pytest.mark.parametrize("name", ["crt", "key", "ca"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.5, 0.9])
def test_the_beginning_of_a_certificate_file_is_not_served(
    write: Write, authority: Authority, tmp_path: Path, clock: FakeClock, name: str, share: float
) -> None:
    """A chain without its intermediates, or an authority too few, fits the key all the same."""
    for chain in ("crt", "ca"):
        (tmp_path / chain).write_bytes((tmp_path / chain).read_bytes() + authority.issue("other").cert.read_bytes())
    keeper = WebConfigKeeper(str(write(MUTUAL)), clock)
    before = keeper.current()
    whole = (tmp_path / name).read_bytes()
    # Half of a chain of two is its first certificate.
    half = whole.find(b"-----BEGIN", 10) if share == 0.5 and name != "key" else int(share * len(whole))

    (tmp_path / name).write_bytes(whole[:half])
    during = keeper.current()
    (tmp_path / name).write_bytes(whole)

    assert during is before
    assert keeper.current().config == before.config


@pytest.mark.usefixtures("certificates")
def test_a_shorter_chain_that_stays_is_served(
    write: Write, authority: Authority, tmp_path: Path, clock: FakeClock
) -> None:
    """A renewal may need fewer intermediates."""
    cert = tmp_path / "crt"
    leaf = cert.read_bytes()
    cert.write_bytes(leaf + authority.cert.read_bytes())
    keeper = WebConfigKeeper(str(write(TLS)), clock)
    before = keeper.current().context

    cert.write_bytes(leaf)
    fresh = keeper.current().context
    clock.now += SETTLE

    assert fresh is before
    assert keeper.current().context is not before


@pytest.mark.usefixtures("certificates")
def test_files_that_change_while_they_are_read_are_not_served(
    write: Write, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read may be half of each state. The next request reads again."""
    keeper = WebConfigKeeper(str(write(TLS)), clock)
    before = keeper.current()
    changes = [TLS + TWO_USERS, TLS + ONE_USER]

    def load_while_it_is_written(path: Path) -> WebConfig:
        config = load(path)
        if changes:
            write(changes.pop())
        return config

    monkeypatch.setattr("kcl_flowlog.web.web_config_keeper.load", load_while_it_is_written)
    write(TLS + HEADERS)
    during = [keeper.current() for _ in range(2)]
    after = keeper.current()

    assert [before] * 2 == during
    assert {"me", "you"} == set(after.config.users)


def test_a_certificate_that_comes_later_is_served(write: Write, authority: Authority, tmp_path: Path) -> None:
    """Nobody has to touch a configuration file that was written before its certificate."""
    issued = authority.issue("late")
    keeper = WebConfigKeeper(str(write(HEADERS)))
    keeper.current()

    write(HEADERS + "tls_server_config: {cert_file: crt, key_file: key}")
    too_early = keeper.current().context
    (tmp_path / "crt").write_bytes(issued.cert.read_bytes())
    (tmp_path / "key").write_bytes(issued.key.read_bytes())

    assert too_early is None
    assert keeper.current().context is not None
