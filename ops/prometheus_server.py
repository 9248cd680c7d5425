"""A Prometheus on this machine: starts it, waits until it is ready, and stops it.

It ends with the process that has started it, whatever ends that. Fails with one sentence if Prometheus is not installed
or does not start. Must not know what it scrapes.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import yaml

from kcl_flowlog.launcher.parent_death import end_with_parent

HOST = "127.0.0.1"
_PATIENCE = 60.0
_DIRECT = build_opener(ProxyHandler({}))


class PrometheusError(Exception):
    """Prometheus can't run; one sentence."""


@contextmanager
def running_prometheus(
    folder: Path, config: Mapping[str, Any], port: int, *options: str, program: str = "prometheus"
) -> Iterator[str]:
    """Run a Prometheus at a port, with its configuration and data in `folder`; give its URL once it is ready."""
    if shutil.which(program) is None:
        raise PrometheusError("Prometheus is not installed; on Debian: apt-get install prometheus.")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", *options]
    command.append(f"--web.listen-address={HOST}:{port}")
    url = f"http://{HOST}:{port}"
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        # Ctrl-C goes to the process that has started it only.
        process = subprocess.Popen(
            end_with_parent(command, signal.SIGTERM), cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_ready(process, url, log)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), _DIRECT.open(f"{url}/-/ready", timeout=5):
            return
        time.sleep(0.1)
    last = log.read_text(errors="replace").rstrip().splitlines()[-1:]
    raise PrometheusError(f"Prometheus did not start: {' '.join(last) or 'it wrote no output'}")
