"""Durations as the exporter-toolkit reads them: those of Go, such as `1m30s` or `500ms`. Pure."""

from __future__ import annotations

import re

_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    # Not in Go, but in the other settings.
    "d": 86400.0,
}
_PART = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|[smhd])"


def parse_go_duration(text: str) -> float:
    """Return the seconds. A number needs a unit, as the toolkit takes a bare number for nanoseconds."""
    if text == "0":
        return 0.0
    if not re.fullmatch(f"({_PART})+", text):
        raise ValueError(f"{text!r} is not a duration such as 500ms, 10s or 1m30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, text))
