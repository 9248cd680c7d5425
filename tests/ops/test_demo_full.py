"""The demo with a real Prometheus."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
import yaml

from ops.demo_full import config, main
from tests.support.instance import is_alive
from tests.support.paths import ROOT
from tests.support.waiting import eventually


def test_prometheus_scrapes_the_demo_with_the_job_of_the_rules() -> None:
    content = config(10514)

    assert [{"job_name": "kcl-flowlog", "static_configs": [{"targets": ["127.0.0.1:10514"]}]}] == content[
        "scrape_configs"
    ]
    assert [str(ROOT / "ops" / "prometheus" / "rules.yml")] == content["rule_files"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--help"], 0, "Usage: kcl-flowlog demo [OPTIONS]"),
        (["--port", "0", "--help"], 0, "Usage: kcl-flowlog demo [OPTIONS]"),
        (["--rate", "many"], 2, "Error: Invalid value for '--rate'"),
        (["--port", "99999"], 2, "Error: Invalid value for '--port'"),
        (["--tale"], 2, "Error: No such option"),
    ],
)
def test_help_and_mistakes_need_no_prometheus(
    arguments: list[str],
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The demo says its sentence, once, and nothing stands in front of it."""
    monkeypatch.setattr(sys, "argv", ["ops.demo_full"])
    # As with `python -m ops.demo_full`.
    monkeypatch.setattr(sys.modules["__main__"], "__package__", "ops", raising=False)
    monkeypatch.setattr("ops.demo_full.running_prometheus", None)

    with pytest.raises(SystemExit) as ended:
        main(arguments)

    said = capsys.readouterr()
    text = said.out + said.err
    assert (code, 1, True) == (ended.value.code, text.count(words), text.startswith(words))


@pytest.mark.parametrize(
    ("arguments", "port", "passed"),
    [
        (["--story"], 10514, ["--story", "--port", "10514"]),
        (["--port", "9000", "--rate", "50"], 9000, ["--port", "9000", "--rate", "50", "--port", "9000"]),
        (["--port=0"], 7, ["--port=0", "--port", "7"]),
    ],
)
def test_the_demo_gets_its_arguments_and_the_port_that_prometheus_scrapes(
    arguments: list[str], port: int, passed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prometheus has to know it before any free port is chosen."""
    configs = []

    def running(folder: Path, config: dict[str, Any], port: int) -> AbstractContextManager[str]:
        configs.append(config)
        return nullcontext("http://127.0.0.1:1")

    monkeypatch.setattr(sys, "argv", ["ops.demo_full"])
    monkeypatch.setattr("ops.demo_full.running_prometheus", running)
    monkeypatch.setattr("ops.demo_full.usable_port", lambda _: 7)
    monkeypatch.setattr("ops.demo_full.kcl_flowlog", lambda: None)

    main(arguments)

    assert ([config(port)], ["kcl-flowlog", "demo", *passed]) == (configs, sys.argv)


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
