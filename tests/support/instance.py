"""One instance of the product, run as a user runs it, for tests through the real MultiLangDaemon."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from kcl_flowlog.demo.page import Page, read
from kcl_flowlog.demo.product import environment
from kcl_flowlog.processor.faults import VARIABLE
from tests.support.measuring import unmeasured
from tests.support.ports import reserve_port
from tests.support.waiting import PATIENCE

SHORT_INTERVALS = ("idleTimeBetweenReadsInMillis=250", "failoverTimeMillis=5000", "shardSyncIntervalMillis=5000")

# Each JVM lives for seconds: its second compiler would take more CPU time than it saves, a third of the whole test.
JAVA_OPTIONS = "-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

# Seconds. A first start takes up to a minute on an idle machine; this bound is for a hang, not for a slow machine.
PAGE_TIMEOUT = 300.0
STOP_TIMEOUT = 180.0


class Instance:
    """`kcl-flowlog run` on a state directory. A test may stop it, kill it and start it again."""

    def __init__(
        self,
        environ: Mapping[str, str],
        stream: str,
        directory: Path,
        options: tuple[str, ...] = (),
        state: Path | None = None,
        open_stdout: Callable[[], BinaryIO] | None = None,
    ) -> None:
        self._port = reserve_port()
        self._directory = directory
        self.state = state or directory / "state"
        """The state directory."""
        self.fault = directory / "fault"
        """The file that orders a fault; see kcl_flowlog.processor.faults."""
        # Measured, the real runs would take a seventh more CPU time, and cover hardly a line that quick tests don't.
        with unmeasured():
            self._environment = {**environment(environ), VARIABLE: str(self.fault)}
        self._argv = [
            *(sys.executable, "-m", "kcl_flowlog", "run", "--stream", stream),
            *("--application", "real-test", "--initial-position", "trim-horizon"),
            *("--state-dir", str(self.state), "--web.listen-address", f"127.0.0.1:{self._port}"),
            *("--checkpoint-interval", "2s", "--newborn-hold", "0s", "--final-scrape-timeout", "0s"),
            *(part for pair in SHORT_INTERVALS for part in ("--kcl-property", pair)),
            f"--java-options={JAVA_OPTIONS}",
            *options,
        ]
        self._open_stdout = open_stdout or (lambda: (directory / "stdout").open("ab"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def stdout(self) -> str:
        """Everything written to stdout since the first start."""
        return (self._directory / "stdout").read_text()

    @property
    def log(self) -> str:
        """Everything written to stderr since the first start."""
        return (self._directory / "stderr").read_text()

    def dead_letters(self) -> list[dict[str, Any]]:
        """Return the rows of its file of dead letters."""
        return [json.loads(line) for line in (self.state / "dead-letters.jsonl").read_text().splitlines()]

    @property
    def url(self) -> str:
        """The URL of its metrics."""
        return f"http://127.0.0.1:{self._port}/metrics"

    @property
    def is_running(self) -> bool:
        """Whether the launcher has started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the launcher."""
        with self._open_stdout() as out, (self._directory / "stderr").open("ab") as err:
            self._process = subprocess.Popen(
                self._argv, env=self._environment, stdout=out, stderr=err, start_new_session=True
            )

    def use(self, environ: Mapping[str, str]) -> None:
        """Set further environment variables for the next start."""
        self._environment.update(environ)

    def order(self, fault: str) -> None:
        """Order a fault; see kcl_flowlog.processor.faults."""
        new = self.fault.with_suffix(".new")
        new.write_text(fault)
        new.replace(self.fault)

    def request_stop(self) -> None:
        """Send SIGTERM to the launcher, as Kubernetes does."""
        self._launcher().send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Stop it; return its exit code."""
        self.request_stop()
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait for the end of the launcher; return its exit code."""
        return self._launcher().wait(STOP_TIMEOUT)

    def kill(self) -> None:
        """Kill launcher, daemon and processors together; do nothing if the launcher does not run."""
        if not self.is_running:
            return
        launcher = self._launcher()
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in self.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        launcher.wait(STOP_TIMEOUT)

    def kill_launcher(self) -> None:
        """Kill only the launcher."""
        process = self._launcher()
        process.kill()
        process.wait(STOP_TIMEOUT)

    def processes(self) -> list[psutil.Process]:
        """Return the launcher and all its descendants, parents first."""
        launcher = psutil.Process(self._launcher().pid)
        return [launcher, *launcher.children(recursive=True)]

    def processors(self) -> list[psutil.Process]:
        """Return its running processors."""
        return self._descendants("kcl_flowlog.processor")

    def daemon(self) -> psutil.Process | None:
        """Return its running MultiLangDaemon, or None."""
        return next(iter(self._descendants("MultiLangDaemon")), None)

    def page(self) -> Page | None:
        """Return its metrics page, or None if it does not answer."""
        return read(self.url)

    def is_ready(self) -> bool:
        """Tell whether it says that it is ready; False if it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=STOP_TIMEOUT)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def answer(self, path: str) -> str:
        """Return the body of any page; an empty text if the instance does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except OSError:
            return ""
        finally:
            connection.close()

    def wait_for(self, what: str, is_true: Callable[[Page], bool], timeout: float = PAGE_TIMEOUT) -> Page:
        """Return the first page for which `is_true` holds; fail with the log after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        page = None
        while time.monotonic() < deadline:
            page = self.page()
            if page is not None and is_true(page):
                return page
            assert self.is_running, f"The launcher ended:\n{self.log}"
            time.sleep(0.3)
        raise AssertionError(f"No {what} within {timeout:g} s; last page: {page}\n{self.log}")

    def _descendants(self, word: str) -> list[psutil.Process]:
        """Return the running processes with `word` in their command; empty if the launcher has ended."""
        try:
            return [process for process in self.processes() if word in command_of(process)]
        except psutil.NoSuchProcess:
            return []

    def _launcher(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "The instance has not been started."
        return self._process


def command_of(process: psutil.Process) -> str:
    """Return the command line of a process; an empty string if the process has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that still run; a zombie has ended."""
    return [process for process in processes if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs; a zombie has ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
