"""The MultiLangDaemon as a child process: its command line, its log, its life.

`command` and `environment` are pure. `Daemon` starts one daemon in a session
of its own, so that a Ctrl-C or a signal to our group does not reach the
processors, which would then die before their last checkpoint. Only the
daemon's own process is asked to stop; only the final SIGKILL goes to all.

The daemon exits with 0 when its initialisation failed, so its exit code says
little: whoever did not ask for an exit has to treat it as a failure.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kcl_flowlog.launcher.java import Jars, Java
from kcl_flowlog.launcher.parent_death import end_with_parent

log = logging.getLogger("kcl")

_MAIN_CLASS = "software.amazon.kinesis.multilang.MultiLangDaemon"
_READY = "Initialization complete. Starting worker loop."
_LINE = re.compile(r"(TRACE|DEBUG|INFO|WARN|ERROR) (\S+) (.*)")
# What the KCL tells at INFO is of use only to its friends.
_LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.DEBUG,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}
_TAIL = 20
# How long the dead may take to be gone; where nobody reaps them, they stay.
_DYING = 1.0


def executable(python: str) -> str:
    """Return the KCL's `executableName`: the processor's command.

    The KCL splits it at spaces and knows no quotes, so an interpreter whose
    path has a space is named alone and found by PATH; see `environment`.
    """
    name = os.path.basename(python) if " " in python else python
    return f"{name} -m kcl_flowlog.processor"


def environment(environ: Mapping[str, str], python: str) -> dict[str, str]:
    """Return the daemon's environment, which its processors inherit."""
    if " " not in python:
        return dict(environ)
    path = os.pathsep.join((os.path.dirname(python), environ.get("PATH", os.defpath)))
    return {**environ, "PATH": path}


def command(java: Java, jars: Jars, options: Sequence[str], debug: bool, properties: Path, logback: Path) -> list[str]:
    """Return the daemon's command line."""
    return [
        java.command,
        *options,
        # Without memory the daemon would go on as a leader that assigns no shards.
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Dfile.encoding=UTF-8",
        f"-Dkcl.log.level={'INFO' if debug else 'WARN'}",
        "-cp",
        f"{jars.folder}/*",
        _MAIN_CLASS,
        "--properties-file",
        str(properties),
        "--log-configuration",
        str(logback),
    ]


class Daemon:
    """One run of the daemon, from its start to its end; `before_kill` is called before processors are killed."""

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], before_kill: Callable[[], None] = lambda: None
    ) -> None:
        self._before_kill = before_kill
        self._process = subprocess.Popen(
            end_with_parent(argv, signal.SIGKILL),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self.is_ready = False
        self.tail: list[str] = []
        self._reader = threading.Thread(target=self._read_log, name="daemon-log", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id, which is also that of its session and group."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Ask for the last checkpoints and an end."""
        if self.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self, patience: float = 5.0) -> None:
        """Leave nothing of it: wait a little for processors to see the end of their input, then kill the group."""
        if self.poll() is None:
            self._kill_group()
            self._process.wait()
        self._wait_for_group(patience)
        self._kill_group()
        self._wait_for_group(_DYING)
        self._reader.join(timeout=5.0)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _wait_for_group(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._group_exists() and time.monotonic() < deadline:
            _reap_orphans(self.pid)
            time.sleep(0.05)

    def _group_exists(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _kill_group(self) -> None:
        if not self._group_exists():
            return
        self._before_kill()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _read_log(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        for line in self._process.stdout:
            self._take(line.rstrip("\n"))

    def _take(self, line: str) -> None:
        match = _LINE.fullmatch(line)
        level, source, text = match.groups() if match else ("WARN", "", line)
        if source == "Scheduler" and text.startswith(_READY):
            self.is_ready = True
        if _LEVELS[level] >= logging.WARNING and text.strip():
            self.tail = [*self.tail[1 - _TAIL :], text]
        if text.strip():
            log.log(_LEVELS[level], "%s", text, extra={"fields": {"source": source} if source else {}})


def _reap_orphans(group: int) -> None:
    """Reap processes of an ended daemon's group, which became our children when it died."""
    try:
        while os.waitpid(-group, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return
