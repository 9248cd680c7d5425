"""The table of metrics, and the page that has to follow it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from kcl_flowlog.exporter.contract import LEGACY_METRICS, METRICS, Definition
from kcl_flowlog.exporter.exposition import OPENMETRICS
from kcl_flowlog.values import TRAFFIC_LABELS
from tests.support.exporter import STATE, page

GOLDEN = Path(__file__).parent / "data" / "metrics.prom"


def families() -> dict[str, Metric]:
    return {family.name: family for family in parse(page(STATE, OPENMETRICS))}  # type: ignore[no-untyped-call]


def test_the_page_is_the_golden_page() -> None:
    """A change of a name, a label, a type or a help text is a difference; REWRITE_GOLDEN=1 accepts it."""
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.write_text(page(STATE))

    assert GOLDEN.read_text() == page(STATE)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize(
    "options",
    [{}, {"traffic_labels": TRAFFIC_LABELS}, {"legacy_metrics": True}],
    ids=["default", "all labels", "legacy metrics"],
)
def test_promtool_finds_nothing_to_improve(options: dict[str, Any]) -> None:
    """Prometheus' own linter accepts names, types and help texts."""
    text = page(STATE, **options)
    linted = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)

    assert (0, "", "") == (linted.returncode, linted.stdout, linted.stderr)


def test_the_page_has_every_metric_of_the_table_and_no_other() -> None:
    """Names, types and help texts are those of the table."""
    expected = {name: (definition.kind, definition.help) for name, definition in METRICS.items()}

    assert expected == {name: (family.type, family.documentation) for name, family in families().items()}


@pytest.mark.parametrize("definition", METRICS.values(), ids=lambda definition: definition.name)
def test_every_sample_has_the_labels_of_the_table(definition: Definition) -> None:
    """The golden page has at least one sample of each metric, so that no label can go missing unseen."""
    samples = families()[definition.name].samples

    # Which tags there are is a setting.
    shown = [["tag_…" if label.startswith("tag_") else label for label in sample.labels] for sample in samples]
    assert {frozenset(definition.labels)} == {frozenset(labels) - {"le"} for labels in shown}


def test_no_two_metrics_of_the_golden_page_have_the_same_samples() -> None:
    """So two metrics that are mixed up make a difference: with the same labels they have different values."""
    contents = Counter(
        frozenset((frozenset(sample.labels.items()), sample.value) for sample in family.samples)
        for family in families().values()
    )

    assert [1] * len(METRICS) == list(contents.values())


def test_the_table_has_one_row_per_name() -> None:
    """The key of a row is its name."""
    assert list(METRICS) == [definition.name for definition in METRICS.values()]


@pytest.mark.parametrize(
    "definition", [*METRICS.values(), *LEGACY_METRICS.values()], ids=lambda definition: definition.name
)
def test_names_and_help_texts_are_well_formed(definition: Definition) -> None:
    """A name has the prefix, and no suffix that the page adds; a help text is a sentence."""
    assert re.fullmatch(r"flowlog_[a-z_]+(?<!_total)", definition.name)
    assert re.fullmatch(r"[A-Z0-9].*\.", definition.help)
