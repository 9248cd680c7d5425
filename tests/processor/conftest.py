"""A processor in this process, and what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.commits.ledger import Ledger
from tests.support.conversation import Stage
from tests.support.processors import Driver


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Return an empty ledger."""
    with Ledger(tmp_path / "ledger.sqlite3") as opened:
        yield opened


@pytest.fixture
def driver(tmp_path: Path, ledger: Ledger) -> Driver:
    """Return a daemon whose processor was not called yet."""
    return Driver(tmp_path, ledger)


@pytest.fixture
def held(driver: Driver) -> Driver:
    """Return a daemon whose processor holds its shard."""
    driver.initialize()
    return driver


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Return a state directory for conversations with processors."""
    opened = Stage(tmp_path)
    yield opened
    opened.close()
