"""The values file: what a team may change about the rules.

Reads values.yml and nothing else. A mistake in it is a `ValuesError`, one sentence that says what to do.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

VALUES = Path(__file__).parent / "values.yml"
SEVERITIES = ("info", "warning", "critical")
_KEYS = {"job": str, "runbooks": str, "usual_days": int, "alerts": dict}
_DURATION = re.compile(r"([0-9]+[smhd])+")


class ValuesError(Exception):
    """A mistake in the values file."""


class Level(NamedTuple):
    """A rule of an alert; `thresholds` are numbers by the name that the alert's texts use."""

    severity: str
    hold: str
    thresholds: dict[str, float]


class Values(NamedTuple):
    """The content of the values file."""

    job: str
    runbooks: str
    usual_days: int
    alerts: dict[str, list[Level]]


def read_values(path: Path = VALUES) -> Values:
    """Read the values file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or set(_KEYS) != set(content):
        raise ValuesError(f"{path} must have exactly the keys {', '.join(_KEYS)}.")
    for key, kind in _KEYS.items():
        if not isinstance(content[key], kind):
            raise ValuesError(f"{path}: {key} must be of type {kind.__name__}.")
    if content["usual_days"] < 1:
        raise ValuesError(f"{path}: usual_days must be 1 or more.")
    alerts = {name: [_level(name, entry) for entry in entries or []] for name, entries in content["alerts"].items()}
    return Values(content["job"], content["runbooks"], content["usual_days"], alerts)


def _level(name: str, entry: dict[str, Any]) -> Level:
    severity, hold = entry.get("severity"), str(entry.get("for", ""))
    if severity not in SEVERITIES:
        raise ValuesError(f"{name}: severity must be one of {', '.join(SEVERITIES)}, not {severity}.")
    if hold and not _DURATION.fullmatch(hold):
        raise ValuesError(f"{name}: for must be a duration such as 15m, not {hold}.")
    thresholds = {key: value for key, value in entry.items() if key not in ("severity", "for")}
    for key, value in thresholds.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValuesError(f"{name}: {key} must be a number, not {value}; write a large number as 1.0e+6.")
    return Level(severity, hold, thresholds)
