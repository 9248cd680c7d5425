"""The table of dashboards, and where their files are."""

from __future__ import annotations

from pathlib import Path

from ops.dashboards.cost import cost
from ops.dashboards.model import Dashboard
from ops.dashboards.overview import overview
from ops.dashboards.pipeline import pipeline
from ops.dashboards.subnet import subnet
from ops.values import Values

TAG = "kcl-flowlog"
FILES = Path(__file__).parents[1] / "grafana" / "dashboards"


def dashboards(values: Values) -> dict[Path, Dashboard]:
    """Return each dashboard by its file."""
    return {
        FILES / f"{dashboard.uid.removeprefix('kcl-flowlog-')}.json": dashboard
        for dashboard in (overview(values), subnet(values), cost(values), pipeline(values))
    }
