"""A ledger in a temporary directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.commits.ledger import Ledger
from tests.support.ledgers import FakeClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the ledger is."""
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def clock() -> FakeClock:
    """Return the clock that the ledger reads."""
    return FakeClock()


@pytest.fixture
def ledger(path: Path, clock: FakeClock) -> Iterator[Ledger]:
    """Return an empty ledger."""
    with Ledger(path, clock) as opened:
        yield opened
