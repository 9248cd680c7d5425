"""The demo with a real Prometheus."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
import yaml

from ops.demo_full import config
from tests.support.instance import is_alive
from tests.support.paths import ROOT
from tests.support.waiting import eventually


def test_prometheus_scrapes_the_demo_with_the_job_of_the_rules() -> None:
    content = config(10514)

    assert [{"job_name": "kcl-flowlog", "static_configs": [{"targets": ["127.0.0.1:10514"]}]}] == content[
        "scrape_configs"
    ]
    assert [str(ROOT / "ops" / "prometheus" / "rules.yml")] == content["rule_files"]


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed (Debian: prometheus)")
def test_prometheus_has_the_rules_and_ends_with_the_demo(tmp_path: Path) -> None:
    """Also if the demo is killed."""
    program = """
import sys, time
from pathlib import Path
from kcl_flowlog.demo.session import usable_port
from ops.demo_full import config
from ops.prometheus_server import running_prometheus
with running_prometheus(Path(sys.argv[1]), config(1), usable_port(0)) as url:
    print(url, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        url = demo.stdout.readline().strip()
        (prometheus,) = psutil.Process(demo.pid).children()
        with urlopen(f"{url}/api/v1/rules", timeout=60) as answer:
            groups = json.load(answer)["data"]["groups"]
        demo.kill()

    names = [
        group["name"] for group in yaml.safe_load((ROOT / "ops" / "prometheus" / "rules.yml").read_text())["groups"]
    ]
    assert sorted(names) == sorted(group["name"] for group in groups)
    assert eventually(lambda: not is_alive(prometheus))
