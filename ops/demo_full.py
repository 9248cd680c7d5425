"""The demo with a real Prometheus and the product's rules: `python -m ops.demo_full`, which `make demo-full` runs.

The arguments are those of `kcl-flowlog demo`. Prometheus ends with the demo, whatever ends that, and its data with it.
Fails with one sentence if Prometheus is not installed or does not start. Opens no browser.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from kcl_flowlog.__main__ import main as kcl_flowlog
from kcl_flowlog.demo.command import demo
from kcl_flowlog.demo.session import usable_port
from ops.outputs import OPS
from ops.prometheus_server import HOST, PrometheusError, running_prometheus
from ops.values import read_values


def config(port: int) -> dict[str, Any]:
    """Return the configuration of a Prometheus that scrapes the demo at `port`."""
    return {
        "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
        "rule_files": [str(OPS / "prometheus" / "rules.yml")],
        "scrape_configs": [
            {"job_name": read_values().job, "static_configs": [{"targets": [f"{HOST}:{port}"]}]},
        ],
    }


def main(arguments: list[str]) -> None:
    """Run Prometheus and the demo; exit as the demo does. For its help, or a mistake, the demo runs alone."""
    port = _port(arguments)
    if port is None:
        _demo(arguments)
        return
    with tempfile.TemporaryDirectory(prefix="kcl-flowlog-prometheus-") as folder:
        try:
            with running_prometheus(Path(folder), config(port), usable_port(0)) as url:
                print(f"Prometheus: {url}/graph")
                print(f"Alerts:     {url}/alerts")
                print(
                    "Alerts that compare with the days before need over a day of history, so they stay silent here.",
                    flush=True,
                )
                # The last of several ports counts.
                _demo([*arguments, "--port", str(port)])
        except PrometheusError as error:
            print(error, file=sys.stderr)
            sys.exit(2)


def _demo(arguments: list[str]) -> None:
    sys.argv = ["kcl-flowlog", "demo", *arguments]
    kcl_flowlog()


def _port(arguments: list[str]) -> int | None:
    """Return the port of the metrics page, free if it is to be any port; None if the demo would only say something."""
    try:
        # Without its names, --help is a mistake like others, and the demo itself answers all of them.
        chosen = demo.make_context("demo", [*arguments], help_option_names=[]).params["port"]
    except click.ClickException:
        return None
    return chosen or usable_port(0)


if __name__ == "__main__":
    main(sys.argv[1:])
