"""The generated parts of the Helm chart: rules and dashboards, as Helm reads nothing outside it, and its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from kcl_flowlog.config import settings
from ops.outputs import OPS

CHART = OPS.parent / "deploy" / "helm" / "kcl-flowlog"
FILES = CHART / "files"
SCHEMA = CHART / "values.schema.json"
# What the chart sets itself.
OWN = ("state_dir", "web_listen_address", "web_config_file")
# What the chart computes with, as seconds.
_DURATIONS = ("shutdown_grace", "final_scrape_timeout")


def chart_files(files: Mapping[Path, str]) -> dict[Path, str]:
    """Return copies of those of the generated files that the chart needs, by their places in it, and the schema."""
    rules = OPS / "prometheus" / "rules.yml"
    dashboards = {
        FILES / "dashboards" / path.name: text for path, text in files.items() if path.parent.name == "dashboards"
    }
    return {SCHEMA: _schema(), FILES / "rules.yml": files[rules]} | dashboards


def _schema() -> str:
    """Return the schema of the chart's values with all settings of `run`; the rest of it is written by hand."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    schema["properties"]["config"]["properties"] = {
        setting.flag.removeprefix("--"): {"$ref": f"#/definitions/{'duration' if name in _DURATIONS else 'value'}"}
        for name, setting in settings().items()
        if name not in OWN
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
