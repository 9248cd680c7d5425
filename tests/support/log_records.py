"""What the log holds, beside the message."""

from __future__ import annotations

import logging
from typing import Any


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a log record."""
    found: dict[str, Any] = record.__dict__.get("fields", {})
    return found
