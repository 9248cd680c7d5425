"""What docs/upgrading.md promises by name is there: metrics with their labels, and settings.

`promised.json` names what a release has. A new name is added to it with the release that brings it; a name that goes
away is a new major version.
"""

from __future__ import annotations

import json
from pathlib import Path

from kcl_flowlog.config import settings
from kcl_flowlog.exporter.contract import METRICS

PROMISED = json.loads((Path(__file__).parent / "promised.json").read_text())


def test_no_metric_goes_away() -> None:
    """Its kind stays, and none of its labels is lost. A new metric or label is no broken promise."""
    promised = {name: set(words.split()) for name, words in PROMISED["metrics"].items()}
    here = {name: {metric.kind, *metric.labels} for name, metric in METRICS.items()}

    assert {} == {
        name: words - here.get(name, set()) for name, words in promised.items() if not words <= here.get(name, set())
    }


def test_no_setting_goes_away() -> None:
    """Neither the option, which is the key of the file as well, nor its variable."""
    here = {setting.flag: setting.variable for setting in settings().values()}

    assert PROMISED["settings"] == {flag: here[flag] for flag in PROMISED["settings"].keys() & here.keys()}
