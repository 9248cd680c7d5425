"""What a dashboard is made of, as plain data: no JSON, no library.

The texts are in plain words, as each panel shows its description. `$job`, `$vpc`, `$subnet`, `$tag` and the prices are
the dashboard's variables; `$__rate_interval` and `$__range` are Grafana's.
"""

from __future__ import annotations

from typing import NamedTuple

WIDE, HALF, THIRD, QUARTER, SIXTH, EIGHTH = 24, 12, 8, 6, 4, 3
"""Widths of panels: a row has 24 columns."""

LETTERS = "ABCDEFGH"
"""The names of a panel's queries: the column of the second is `Value #B`."""


class Query(NamedTuple):
    """A query. `legend` names its series, by labels in `{{…}}`; a table has its columns instead."""

    expr: str
    legend: str = ""


class Limits(NamedTuple):
    """The values from which a panel is coloured: those of a `threshold` of an alert in the values file.

    Without a threshold it is `number` alone: orange if an alert watches the same, else red.
    """

    alert: str = ""
    threshold: str = ""
    number: float = 1
    is_lower_limit: bool = False


class Column(NamedTuple):
    """A column of a table: a label or `Value #A`, and so on; its heading, its unit, and where a click leads."""

    name: str
    heading: str
    unit: str = ""
    link: str = ""


class Panel(NamedTuple):
    """A panel. `kind` is a key of the builders; `alerts` are those that watch the same, each with its runbook."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    width: int = HALF
    alerts: tuple[str, ...] = ()
    limits: Limits | None = None
    is_stacked: bool = False
    columns: tuple[Column, ...] = ()

    @property
    def height(self) -> int:
        """The height of its kind, in rows of the grid."""
        return {"stat": 4, "table": 10}.get(self.kind, 8)


def stat(
    title: str, description: str, unit: str, expr: str, *alerts: str, width: int = QUARTER, limits: Limits | None = None
) -> Panel:
    """Return a panel that shows one number."""
    return Panel(title, description, unit, (Query(expr),), "stat", width, alerts, limits)


class Variable(NamedTuple):
    """A choice at the top of a dashboard.

    `query` is Grafana's: label_values(…) or query_result(…), whose results `regex` reads. Without a query it is a text
    that `default` begins with, or, with `options`, one of these.
    """

    name: str
    label: str
    description: str
    query: str = ""
    regex: str = ""
    has_all: bool = False
    default: str = ""
    options: tuple[str, ...] = ()


class Dashboard(NamedTuple):
    """A dashboard; `rows` are panels by the title of their row, `step` is the shortest step of its graphs."""

    uid: str
    title: str
    description: str
    step: str
    variables: tuple[Variable, ...]
    rows: dict[str, tuple[Panel, ...]]

    @property
    def panels(self) -> list[Panel]:
        """All panels, in their order."""
        return [panel for panels in self.rows.values() for panel in panels]
