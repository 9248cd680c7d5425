"""All rules, from the tables and the values file, as plain data.

A threshold that is missing in the values file, or that nothing uses, is a `ValuesError`.
"""

from __future__ import annotations

import re
from typing import Any

from ops.alerts import ALERTS, Alert
from ops.recording import recording_rules
from ops.values import Level, Values, ValuesError

Group = dict[str, Any]
_PLACEHOLDER = re.compile(r"<([a-z_]+)>")
_FOR_ALL = {"job", "days"}


def recording_groups(values: Values) -> list[Group]:
    """Return the groups of recording rules."""
    return [{"name": name, "rules": rules} for name, rules in recording_rules(values).items()]


def alerting_groups(values: Values) -> list[Group]:
    """Return the groups of alerting rules: for each alert a rule for each severity."""
    known = {alert.name for alerts in ALERTS.values() for alert in alerts}
    if known != set(values.alerts):
        names = ", ".join(sorted(known ^ set(values.alerts)))
        raise ValuesError(f"The values file must have each alert and no other; see {names}.")
    return [
        {
            "name": name,
            "rules": [_rule(alert, level, values) for alert in alerts for level in values.alerts[alert.name]],
        }
        for name, alerts in ALERTS.items()
    ]


def condition(alert: Alert, level: Level, values: Values) -> str:
    """Return the expression of a rule."""
    return _filled(alert.expr, alert, level, values)


def _rule(alert: Alert, level: Level, values: Values) -> dict[str, Any]:
    used = set(_PLACEHOLDER.findall(alert.expr)) - _FOR_ALL
    if used != set(level.thresholds):
        raise ValuesError(f"{alert.name} needs exactly these thresholds: {', '.join(sorted(used)) or 'no threshold'}.")
    return {
        "alert": alert.name,
        "expr": condition(alert, level, values),
        **({"for": level.hold} if level.hold else {}),
        "labels": {"severity": level.severity},
        "annotations": {
            "summary": alert.summary,
            "description": _filled(alert.description, alert, level, values),
            "runbook_url": f"{values.runbooks}#{alert.name.lower()}",
        },
    }


def _filled(text: str, alert: Alert, level: Level, values: Values) -> str:
    numbers = {name: f"{number:.15g}" for name, number in level.thresholds.items()}
    known = {"job": values.job, "days": str(values.usual_days), **numbers}
    missing = set(_PLACEHOLDER.findall(text)) - set(known)
    if missing:
        raise ValuesError(f"{alert.name} needs a threshold {min(missing)}.")
    return _PLACEHOLDER.sub(lambda match: known[match[1]], text)
