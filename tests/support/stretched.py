"""Pages of a short run on a long time line, for promtool and Prometheus: a second of the run is a minute there.

Before the run lies a day of history: all counters grow as they did in the first seconds of the run, and gauges are as
they were then. Counters and gauges keep their values, so rates are a sixtieth; moments in time move to the time line.
What no rule uses is left out.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from prometheus_client.parser import text_string_to_metric_families

from ops.outputs import OPS, rule_tests

Samples = Mapping[str, float]
"""The value of each series, named as promtool does."""

STEP = 5
"""Seconds of the run between two scrapes, and minutes between two samples."""
HISTORY = 26 * 60
"""Minutes."""
_SAMPLES = HISTORY // STEP
_RULES = OPS / "prometheus" / "rules.yml"
_USED = set(re.findall(r"\b(?:flowlog_\w+|process_start_time_seconds|up)\b", _RULES.read_text()))
_COUNTER = re.compile(r"[a-z_]+_total\b")
_MOMENT = re.compile(r"flowlog_[a-z_]+_timestamp_seconds\b")


def series_name(metric: str, labels: Mapping[str, str]) -> str:
    """Return the name of a series."""
    shown = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{metric}{{{shown}}}"


def samples_of(page: str, **labels: str) -> dict[str, float]:
    """Return the samples of a page, with further labels, and that the page was there."""
    found = {
        series_name(sample.name, {**sample.labels, **labels}): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    return {**found, series_name("up", labels): 1.0}


def input_series(scrapes: Sequence[Samples], began_at: float, quiet: int) -> list[dict[str, str]]:
    """Return the series of a run that began at `began_at` (Unix seconds); the history is like its `quiet` seconds."""
    return [
        {"series": each.name, "values": f"{each.history} {' '.join(map(_text, each.run))}"}
        for each in _all_series(scrapes, began_at, quiet)
    ]


def openmetrics(scrapes: Sequence[Samples], began_at: float, quiet: int, now: float) -> Iterator[str]:
    """Yield the same series as lines of an OpenMetrics file, with the last scrape at the Unix time `now`."""
    origin = now - 60 * (HISTORY + STEP * (len(scrapes) - 1))
    for name, history, run in _all_series(scrapes, began_at, quiet):
        added = origin if _MOMENT.match(name) else 0
        for number, value in enumerate([*history.values(), *run]):
            if value is not None:
                yield f"{name} {_text(value + added)} {origin + 60 * STEP * number:.3f}\n"
    yield "# EOF\n"


class _History(NamedTuple):
    """The samples of a series before the run: none, or a growth from sample to sample."""

    first: float | None = None
    growth: float = 0.0

    def __str__(self) -> str:
        """Return them as promtool writes them."""
        if self.first is None:
            return f"_x{_SAMPLES}"
        return f"{_text(self.first)}+{_text(self.growth)}x{_SAMPLES - 1}"

    def values(self) -> list[float | None]:
        return [None if self.first is None else self.first + self.growth * number for number in range(_SAMPLES)]


class _Series(NamedTuple):
    name: str
    history: _History
    run: list[float | None]


def _all_series(scrapes: Sequence[Samples], began_at: float, quiet: int) -> Iterator[_Series]:
    for name in dict.fromkeys(name for scrape in scrapes for name in scrape if name.split("{")[0] in _USED):
        yield _series(name, [scrape.get(name) for scrape in scrapes], began_at, quiet // STEP)


def _series(name: str, values: list[float | None], began_at: float, quiet: int) -> _Series:
    if _MOMENT.match(name):
        moved = [None if value is None else 60 * (HISTORY + value - began_at) for value in values]
        return _Series(name, _History(0.0, 60.0 * STEP), moved)
    end_of_quiet = values[quiet]
    if end_of_quiet is None:
        return _Series(name, _History(), values)
    if not _COUNTER.match(name):
        return _Series(name, _History(end_of_quiet), values)
    first = values[0] or 0.0
    growth = (end_of_quiet - first) / quiet
    run = [None if value is None else growth * _SAMPLES + value - first for value in values]
    return _Series(name, _History(0.0, growth), run)


def _text(value: float | None) -> str:
    return "_" if value is None else f"{value:.15g}"


def fired(minute: int, within: int, expected: Sequence[Mapping[str, str]], where: str = "") -> dict[str, Any]:
    """Return the expectation that exactly these alerts fired in the `within` minutes before a minute of the run.

    `where` selects some of the alerts. Each alert is its name, severity and subnet.
    """
    alerts = f'ALERTS{{alertstate="firing"{where}}}'
    return {
        "expr": f"group by (alertname, severity, subnet_id) (count_over_time({alerts}[{within}m]))",
        "eval_time": f"{HISTORY + minute}m",
        "exp_samples": [{"labels": series_name("", labels), "value": 1} for labels in expected],
    }


def try_rules(
    folder: Path, series: Sequence[Mapping[str, str]], expectations: Sequence[Any]
) -> subprocess.CompletedProcess[str]:
    """Let promtool try the rules with series and expectations, in a file in `folder`."""
    interval, path = f"{STEP}m", folder / "stretched.test.yml"
    tests = [{"interval": interval, "input_series": series, "promql_expr_test": expectations}]
    content = rule_tests(yaml.safe_load(_RULES.read_text())["groups"], interval, tests)
    path.write_text(yaml.safe_dump({**content, "rule_files": [str(_RULES)]}, width=10**6), encoding="utf-8")
    return subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False)
