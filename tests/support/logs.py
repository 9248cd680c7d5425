"""Log records as a test compares them."""

from __future__ import annotations

from typing import Any

import pytest


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, dict[str, Any]]]:
    """Return level, message and fields of each captured record."""
    return [(record.levelno, record.getMessage(), getattr(record, "fields", {})) for record in caplog.records]
