"""Copies of generated files in the Helm chart, because Helm reads nothing outside a chart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ops.outputs import OPS

FILES = OPS.parent / "deploy" / "helm" / "kcl-flowlog" / "files"


def chart_files(files: Mapping[Path, str]) -> dict[Path, str]:
    """Return those of the generated files that the chart needs, with their places in it."""
    rules = OPS / "prometheus" / "rules.yml"
    dashboards = {
        FILES / "dashboards" / path.name: text for path, text in files.items() if path.parent.name == "dashboards"
    }
    return {FILES / "rules.yml": files[rules]} | dashboards
