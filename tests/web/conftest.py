from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.web import FakeContents


@pytest.fixture
def contents() -> FakeContents:
    """What the pages show."""
    return FakeContents()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Issues certificates."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a web configuration file and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "web.yml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(autouse=True)
def log_level(caplog: pytest.LogCaptureFixture) -> None:
    """Warnings and errors only, unless a test lowers the level."""
    caplog.set_level(logging.WARNING)
