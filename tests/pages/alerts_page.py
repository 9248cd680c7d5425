"""The alerts page of a real Prometheus to which the end of the story's act `S3 through NAT` is now.

The time line is that of `tests/support/stretched.py`. The alerts fire without waiting; then Prometheus reads the
product's rules, and they go on firing. The page is Prometheus' own, without the definitions of the rules.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from playwright.sync_api import Page

from kcl_flowlog.demo.story import NAT, QUIET
from ops.outputs import OPS
from tests.support.prometheus import running_prometheus
from tests.support.stretched import HISTORY, STEP, openmetrics
from tests.support.told_story import BEGIN, told

_RULES = OPS / "prometheus" / "rules.yml"
_FIRING = 3
# Blocks of two hours are many files: each recorded series would have fifteen.
_CREATE_BLOCKS = ("promtool", "tsdb", "create-blocks-from", "--max-block-duration=60h")
_SHADES = " ".join(f"{shade / 15:.3f}" for shade in range(16))
# With few shades of grey in its letters, the picture is a third smaller.
_FEW_SHADES = f"""
<svg width="0" height="0" style="position: absolute">
  <filter id="few-shades" color-interpolation-filters="sRGB">
    <feComponentTransfer>
      {"".join(f'<feFunc{channel} type="discrete" tableValues="{_SHADES}"/>' for channel in "RGB")}
    </feComponentTransfer>
  </filter>
</svg>
<style> html {{ filter: url(#few-shades) }} pre {{ display: none !important }} </style>
"""


@contextlib.contextmanager
def served_alerts(folder: Path) -> Iterator[str]:
    """Run Prometheus with its data in `folder`; give the page's address once the alerts fire.

    It scrapes nothing: the last samples count for five minutes.
    """
    scrapes = told(folder, NAT.end)
    now = time.time()
    _copy_without_for(folder / "rules.yml")
    (folder / "none.yml").touch()
    with (folder / "story.om").open("w", encoding="utf-8") as file:
        file.writelines(openmetrics(scrapes, BEGIN, QUIET.end, now))
    _create_blocks(folder, "openmetrics", "story.om", "data")
    # The rules compare with their recordings of the day before, which promtool makes with a running Prometheus.
    with running_prometheus(folder, {}, Path("none.yml")) as prometheus:
        times = (f"--start={now - 60 * (HISTORY + NAT.end):.0f}", f"--end={now:.0f}", f"--eval-interval={STEP}m")
        _create_blocks(folder, "rules", f"--url={prometheus.url}", "--output-dir=data", *times, "rules.yml")
    with running_prometheus(folder, {}, Path("rules.yml")) as prometheus:
        prometheus.wait_for(f'count(ALERTS{{alertstate="firing"}}) == {_FIRING}')
        shutil.copy(_RULES, folder / "rules.yml")
        prometheus.reload()
        yield f"{prometheus.url}/classic/alerts"


def show_firing(page: Page) -> None:
    """Open the alerts that fire, with their annotations, and hide the others."""
    page.locator("#inactiveAlerts").locator("..").click()
    page.locator("div.show-annotations").click()
    for header in page.locator("tr.alert-danger.alert_header").all():
        header.click()
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", _FEW_SHADES)
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(0, 0)


def _copy_without_for(path: Path) -> None:
    content = yaml.safe_load(_RULES.read_text(encoding="utf-8"))
    for group in content["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def _create_blocks(folder: Path, *arguments: str) -> None:
    said = subprocess.run([*_CREATE_BLOCKS, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if said.returncode:
        raise SystemExit(f"promtool made no blocks from {arguments[0]}: {said.stderr}")
