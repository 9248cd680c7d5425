"""Moments as text."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_timestamp(seconds: float) -> str:
    """Return Unix seconds as ISO 8601 in UTC, to the millisecond: `2023-11-14T22:13:20.000Z`."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_second(seconds: float) -> str:
    """Return Unix seconds as ISO 8601 in UTC, to the second: `2023-11-14T22:13:20Z`."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
