"""The values file: what a team may change about the rules.

Reads values.yml and nothing else. A mistake in it is a `ValuesError`, one sentence that says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

VALUES = Path(__file__).parent / "values.yml"
SEVERITIES = ("info", "warning", "critical")
PRICED = ("internet", "cross_zone", "cross_region", "nat_gateway")
"""The kinds of traffic that have a price."""

_KEYS = {"job": str, "runbooks": str, "usual_days": int, "dashboards": dict, "alerts": dict}
_DASHBOARD_KEYS = {"step": str, "tags": list, "prices": dict}
_PRICE_KEYS = {"usd_per_gib": float, "region": str, "source": str}
_DURATION = re.compile(r"([0-9]+[smhd])+")


class ValuesError(Exception):
    """A mistake in the values file."""


class Level(NamedTuple):
    """A rule of an alert; `thresholds` are numbers by the name that the alert's texts use."""

    severity: str
    hold: str
    thresholds: dict[str, float]


class Price(NamedTuple):
    """A list price in a region, and the page that has the others."""

    usd_per_gib: float
    region: str
    source: str


class DashboardValues(NamedTuple):
    """What a team may change about the dashboards; `prices` has each of `PRICED`."""

    step: str
    tags: list[str]
    prices: dict[str, Price]


class Values(NamedTuple):
    """The content of the values file."""

    job: str
    runbooks: str
    usual_days: int
    dashboards: DashboardValues
    alerts: dict[str, list[Level]]


def read_values(path: Path = VALUES) -> Values:
    """Read the values file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    _check(str(path), content, _KEYS)
    if content["usual_days"] < 1:
        raise ValuesError(f"{path}: usual_days must be 1 or more.")
    alerts = {name: [_level(name, entry) for entry in entries or []] for name, entries in content["alerts"].items()}
    dashboards = _dashboards(content["dashboards"])
    return Values(content["job"], content["runbooks"], content["usual_days"], dashboards, alerts)


def _check(where: str, content: Any, keys: Mapping[str, type]) -> None:
    if not isinstance(content, dict) or set(keys) != set(content):
        raise ValuesError(f"{where} must have exactly the keys {', '.join(keys)}.")
    for key, kind in keys.items():
        # YAML reads a number without a point as an int.
        is_whole_number = kind is float and type(content[key]) is int
        if not isinstance(content[key], kind) and not is_whole_number:
            raise ValuesError(f"{where}: {key} must be of type {kind.__name__}.")


def _dashboards(content: dict[str, Any]) -> DashboardValues:
    _check("dashboards", content, _DASHBOARD_KEYS)
    if not _DURATION.fullmatch(content["step"]):
        raise ValuesError(f"dashboards: step must be a duration such as 5m, not {content['step']}.")
    if not content["tags"] or not all(isinstance(tag, str) for tag in content["tags"]):
        raise ValuesError("dashboards: tags must be the keys of at least one tag.")
    if set(content["prices"]) != set(PRICED):
        raise ValuesError(f"dashboards: prices must be exactly {', '.join(PRICED)}.")
    for name, price in content["prices"].items():
        _check(f"dashboards: the price {name}", price, _PRICE_KEYS)
    prices = {name: Price(**content["prices"][name]) for name in PRICED}
    return DashboardValues(content["step"], content["tags"], prices)


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
