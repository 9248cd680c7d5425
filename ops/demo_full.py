"""The demo with a real Prometheus and the product's rules: `python -m ops.demo_full`, which `make demo-full` runs.

The arguments are those of `kcl-flowlog demo`. Prometheus ends with the demo, whatever ends that, and its data with it.
Fails with one sentence if Prometheus is not installed or does not start. Opens nothing.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import yaml

from kcl_flowlog.__main__ import main as kcl_flowlog
from kcl_flowlog.launcher.parent_death import end_with_parent
from ops.outputs import OPS
from ops.values import read_values

HOST = "127.0.0.1"
_PATIENCE = 60.0
_DIRECT = build_opener(ProxyHandler({}))


class FullDemoError(Exception):
    """Prometheus can't run; one sentence."""


def config(port: int) -> str:
    """Return the configuration of a Prometheus that scrapes the demo at `port`."""
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
            "rule_files": [str(OPS / "prometheus" / "rules.yml")],
            "scrape_configs": [
                {"job_name": read_values().job, "static_configs": [{"targets": [f"{HOST}:{port}"]}]},
            ],
        },
        sort_keys=False,
    )


@contextmanager
def running_prometheus(port: int, folder: Path, program: str = "prometheus") -> Iterator[str]:
    """Run a Prometheus that scrapes the demo at `port`, with its data in `folder`; give its URL once it is ready."""
    if shutil.which(program) is None:
        raise FullDemoError("Prometheus is not installed; on Debian: apt-get install prometheus.")
    (folder / "prometheus.yml").write_text(config(port), encoding="utf-8")
    url = f"http://{HOST}:{_free_port()}"
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    command.append(f"--web.listen-address={url.removeprefix('http://')}")
    with (folder / "prometheus.log").open("wb") as log:
        # Ctrl-C goes to the demo only.
        process = subprocess.Popen(
            end_with_parent(command, signal.SIGTERM), cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_until_ready(process, url, folder / "prometheus.log")
        yield url
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), _DIRECT.open(f"{url}/-/ready", timeout=5):
            return
        time.sleep(0.1)
    last = log.read_text(errors="replace").rstrip().splitlines()[-1:]
    raise FullDemoError(f"Prometheus did not start: {' '.join(last) or 'it wrote no output'}")


def main(arguments: list[str]) -> None:
    """Run Prometheus and the demo; exit as the demo does."""
    port, rest = _port(arguments)
    with tempfile.TemporaryDirectory(prefix="kcl-flowlog-prometheus-") as folder:
        try:
            with running_prometheus(port, Path(folder)) as url:
                print(f"Prometheus: {url}/graph")
                print(f"Alerts:     {url}/alerts")
                print(
                    "Alerts that compare with the days before need a day of history, so they stay silent here.",
                    flush=True,
                )
                sys.argv = ["kcl-flowlog", "demo", "--port", str(port), *rest]
                kcl_flowlog()
        except FullDemoError as error:
            print(error, file=sys.stderr)
            sys.exit(2)


def _port(arguments: list[str]) -> tuple[int, list[str]]:
    """Return the port of the metrics page, free if it is to be any port, and the arguments without it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=10514)
    chosen, rest = parser.parse_known_args(arguments)
    return chosen.port or _free_port(), rest


if __name__ == "__main__":
    main(sys.argv[1:])
