"""Denials against the published schemas: what `--log-deny=ecs` and `--log-deny=ocsf` must be.

The schemas are extracts with names, types and enumerations; each file names its source.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from tests.support.paths import ROOT

_DATA = ROOT / "tests" / "processor" / "data"
ECS = json.loads((_DATA / "ecs-9.4.0.json").read_text())
OCSF = json.loads((_DATA / "ocsf-1.8.0.json").read_text())

# Times are in milliseconds: one in seconds would be a day of 1970.
_EARLIEST = 10**12
_OWN_ECS_FIELD = re.compile(r"aws\.vpcflow\.[a-z0-9_]+|kcl_flowlog\.peer")


def _is_date(value: object) -> bool:
    return isinstance(value, str) and value.endswith("Z") and datetime.fromisoformat(value[:-1]) is not None


def _is_ip(value: object) -> bool:
    return isinstance(value, str) and ipaddress.ip_address(value) is not None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value not in ("", "-")


def _is_whole(value: object) -> bool:
    return type(value) is int and value >= 0


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "date": _is_date,
    "ip": _is_ip,
    "keyword": _is_text,
    "long": _is_whole,
    "ip_t": _is_ip,
    "string_t": _is_text,
    "integer_t": _is_whole,
    "long_t": _is_whole,
    "port_t": lambda value: _is_whole(value) and value <= 65_535,
    "timestamp_t": _is_whole,
    "object": lambda value: isinstance(value, dict) and bool(value),
}


def flattened(event: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of an event with the whole name of its field."""
    for name, value in event.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def ecs_faults(event: Mapping[str, Any]) -> list[str]:
    """Return what ECS does not allow in an event."""
    faults = []
    for name, value in flattened(event):
        row = ECS["fields"].get(name)
        if row is None:
            if not _OWN_ECS_FIELD.fullmatch(name) or not _is_text(value):
                faults.append(f"{name} is not a field")
        elif not _fits(value, row, row.get("allowed")):
            faults.append(f"{name} can't be {value!r}")
    if not set(event["event"]["type"]) <= set(ECS["types_of_category_network"]):
        faults.append("event.type is not one of the category network")
    return faults


def ocsf_faults(value: Mapping[str, Any], kind: str = "network_activity", earliest: int = _EARLIEST) -> list[str]:
    """Return what OCSF does not allow in an object of a kind, or what is earlier than `earliest`, in milliseconds."""
    schema = OCSF["objects"][kind]
    attributes = schema["attributes"]
    faults = [f"{kind} lacks {name}" for name, row in attributes.items() if row.get("required") and name not in value]
    alternatives = schema.get("constraints", {}).get("at_least_one", [])
    if alternatives and not any(name in value for name in alternatives):
        faults.append(f"{kind} has none of {alternatives}")
    for name, inner in value.items():
        row = attributes.get(name)
        if row is None:
            faults.append(f"{kind} has no {name}")
        elif row["type"] in OCSF["objects"]:
            faults += ocsf_faults(inner, row["type"], earliest)
        elif not _fits(inner, row, row.get("enum")) or (row["type"] == "timestamp_t" and inner <= earliest):
            faults.append(f"{kind}.{name} can't be {inner!r}")
    return faults


def _fits(value: Any, row: Mapping[str, Any], allowed: list[Any] | None) -> bool:
    if row.get("array", False) != isinstance(value, list):
        return False
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(_TYPES[row["type"]](each) and (allowed is None or each in allowed) for each in values)
