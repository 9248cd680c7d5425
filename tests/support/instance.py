"""One instance of the product as a user runs it, for tests through the real MultiLangDaemon."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from kcl_flowlog.demo.page import Page, read
from kcl_flowlog.demo.product import environment
from kcl_flowlog.processor.faults import VARIABLE

QUICK = ("idleTimeBetweenReadsInMillis=250", "failoverTimeMillis=5000", "shardSyncIntervalMillis=5000")


class Instance:
    """`kcl-flowlog run` on a state directory; may be stopped, killed and started again."""

    def __init__(
        self,
        environ: Mapping[str, str],
        stream: str,
        directory: Path,
        options: tuple[str, ...] = (),
        state: Path | None = None,
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._port = listener.getsockname()[1]
        self._directory = directory
        self.state = state or directory / "state"
        """Its state directory."""
        self.fault = directory / "fault"
        self._environment = {**environment(environ), VARIABLE: str(self.fault)}
        self._argv = [
            *(sys.executable, "-m", "kcl_flowlog", "run", "--stream", stream),
            *("--application", "real-test", "--initial-position", "trim-horizon"),
            *("--state-dir", str(self.state), "--web.listen-address", f"127.0.0.1:{self._port}"),
            *("--checkpoint-interval", "2s", "--newborn-hold", "0s", "--final-scrape-timeout", "0s"),
            *(part for pair in QUICK for part in ("--kcl-property", pair)),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def stdout(self) -> str:
        """All that was written to stdout, over all starts."""
        return (self._directory / "stdout").read_text()

    @property
    def log(self) -> str:
        """All that was written to stderr, over all starts."""
        return (self._directory / "stderr").read_text()

    def start(self) -> None:
        with (self._directory / "stdout").open("ab") as out, (self._directory / "stderr").open("ab") as err:
            self._process = subprocess.Popen(
                self._argv, env=self._environment, stdout=out, stderr=err, start_new_session=True
            )

    def order(self, fault: str) -> None:
        """Order a fault; see kcl_flowlog.processor.faults."""
        new = self.fault.with_suffix(".new")
        new.write_text(fault)
        new.replace(self.fault)

    @property
    def is_running(self) -> bool:
        """Whether the launcher has been started, and not ended."""
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        """Ask as Kubernetes does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Stop it; return its exit code."""
        self.ask_to_stop()
        assert self._process is not None
        return self._process.wait(60)

    def kill(self) -> None:
        """Kill launcher, daemon and processors at one moment; nothing, where the launcher does not run."""
        if self._process is None or not self.is_running:
            return
        for pid in self.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)

    def kill_launcher(self) -> None:
        """Kill the launcher alone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def family(self) -> list[int]:
        """Return the process ids of the launcher and of everything below it."""
        assert self._process is not None
        parents = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        found = [self._process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    @property
    def url(self) -> str:
        """Where its metrics are."""
        return f"http://127.0.0.1:{self._port}/metrics"

    def page(self) -> Page | None:
        return read(self.url)

    def wait_for(self, what: str, is_true: object, timeout: float = 120.0) -> Page:
        """Return the first page that `is_true` of; fail with the log after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        page = None
        while time.monotonic() < deadline:
            page = self.page()
            if page is not None and is_true(page):  # type: ignore[operator]
                return page
            assert self._process is not None
            assert self._process.poll() is None, f"It ended by itself:\n{self.log}"
            time.sleep(0.3)
        raise AssertionError(f"No {what} within {timeout:g} s; last page: {page}\n{self.log}")
