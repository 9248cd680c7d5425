"""What Grafana does with a dashboard's file before a query reaches Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.prometheus import Prometheus

Json = dict[str, Any]
RATE_INTERVAL, RANGE = "30m", "1h"
_LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")
_QUERY_RESULT = re.compile(r"query_result\((.+)\)")


def read_dashboard(path: Path) -> Json:
    """Return the content of a dashboard's file."""
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


def panels(dashboard: Json) -> list[Json]:
    """Return the panels, without the headings of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def variables(dashboard: Json) -> list[Json]:
    """Return the variables, in their order."""
    found: list[Json] = dashboard["templating"]["list"]
    return found


def queries(dashboard: Json) -> Iterator[tuple[Json, str]]:
    """Yield each panel with each of its queries."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield panel, target["expr"]


def filled(expr: str, values: dict[str, str]) -> str:
    """Return a query with the values of its variables; a variable without a value is an error."""
    known = {"__rate_interval": RATE_INTERVAL, "__range": RANGE, **values}
    return re.sub(r"\$(\w+)", lambda match: known[match[1]], expr)


def options(variable: Json, values: dict[str, str], prometheus: Prometheus) -> list[str]:
    """Return the values between which a reader can choose, but for `All`."""
    if variable["type"] != "query":
        return str(variable["query"]).split(",")
    query = filled(variable["query"]["query"], values)
    if match := _LABEL_VALUES.fullmatch(query):
        return prometheus.label_values(match[2], match[1])
    match = _QUERY_RESULT.fullmatch(query)
    assert match is not None, query
    # Grafana writes a series as text, without escaping, and reads that with the regular expression of JavaScript.
    pattern = re.compile(variable["regex"].strip("/").replace("(?<", "(?P<"))
    texts = [
        "{" + ",".join(f'{name}="{value}"' for name, value in series["metric"].items()) + "} 1 0"
        for series in prometheus.query(match[1])
    ]
    return [found["value"] for text in texts if (found := pattern.search(text))]
