"""The web configuration in force while its files change."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.web_config import WebConfig
from kcl_flowlog.web.web_config_keeper import ActiveWebConfig, WebConfigKeeper
from tests.support.certificates import Authority

Write = Callable[[str], Path]

HASH = "$2b$04$xfBjg2YFpKPC47wJ62CvbOEl.S3cbzWWZLRMqYtNruAuDdZFIbMg2"
ONE_USER = f"basic_auth_users: {{me: {HASH}}}"


def replace(path: Path, content: bytes) -> None:
    """Replace a file in one step, as a renewal of certificates does."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    os.replace(fresh, path)


def levels(caplog: pytest.LogCaptureFixture) -> list[int]:
    return [record.levelno for record in caplog.records]


def test_without_a_file_the_server_is_plain_http_for_everybody() -> None:
    """An empty path means no file."""
    assert ActiveWebConfig(WebConfig(), None) == WebConfigKeeper("").current()


def test_the_first_read_of_an_invalid_file_raises(write: Write) -> None:
    """So does the second: an invalid file never counts as an open server."""
    keeper = WebConfigKeeper(str(write("users: {}")))

    for _ in range(2):
        with pytest.raises(ConfigError, match="users"):
            keeper.current()


def test_an_unchanged_file_is_read_once(write: Write) -> None:
    """Requests without a change in between share the configuration."""
    keeper = WebConfigKeeper(str(write(ONE_USER)))

    assert keeper.current() is keeper.current()


def test_a_changed_file_is_in_force_at_once(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """The next request sees an added user, and the log says so."""
    keeper = WebConfigKeeper(str(write(ONE_USER)))
    keeper.current()

    path = write(f"basic_auth_users: {{me: {HASH}, you: {HASH}}}")
    with caplog.at_level(logging.INFO):
        users = keeper.current().config.users

    assert {"me", "you"} == set(users)
    (record,) = caplog.records
    assert (logging.INFO, "Read the changed web configuration") == (record.levelno, record.getMessage())
    assert {"file": str(path)} == record.fields  # type: ignore[attr-defined]


def test_a_broken_change_is_one_warning_and_changes_nothing(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """A protected server stays protected, and the log does not grow with each request."""
    keeper = WebConfigKeeper(str(write(ONE_USER)))
    before = keeper.current()

    path = write("basic_auth_users: [")
    after = [keeper.current() for _ in range(3)]

    assert [before] * 3 == after
    (record,) = caplog.records
    assert (logging.WARNING, "Invalid web configuration; keeping the last valid one") == (
        record.levelno,
        record.getMessage(),
    )
    assert str(path) == record.fields["file"]  # type: ignore[attr-defined]
    assert "YAML" in record.fields["error"]  # type: ignore[attr-defined]


def test_a_file_that_vanishes_and_returns_is_one_warning(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """What was in force stays in force during the gap."""
    path = write(ONE_USER)
    keeper = WebConfigKeeper(str(path))
    keeper.current()

    path.unlink()
    during = keeper.current().config.users
    write(f"basic_auth_users: {{you: {HASH}}}")
    after = keeper.current().config.users

    assert ({"me"}, {"you"}) == (set(during), set(after))
    assert [logging.WARNING] == levels(caplog)


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
    assert [logging.WARNING] == levels(caplog)


def test_a_certificate_that_comes_later_is_served(write: Write, authority: Authority, tmp_path: Path) -> None:
    """Nobody has to touch a configuration file that was written before its certificate."""
    issued = authority.issue("late")
    keeper = WebConfigKeeper(str(write("")))
    keeper.current()

    write("tls_server_config: {cert_file: crt, key_file: key}")
    too_early = keeper.current().context
    (tmp_path / "crt").write_bytes(issued.cert.read_bytes())
    (tmp_path / "key").write_bytes(issued.key.read_bytes())

    assert too_early is None
    assert keeper.current().context is not None
