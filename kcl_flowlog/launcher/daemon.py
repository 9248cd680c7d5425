"""The MultiLangDaemon as a child process: its command line, its environment, its start and its end.

The daemon has its own session, so that a Ctrl-C or a signal to the launcher's group doesn't reach the processors: they
would die before their last checkpoint. SIGTERM goes to the daemon alone, which then stops the processors in order. Only
the last SIGKILL goes to all of them.

The exit code proves little: the daemon also ends with 0 if its initialisation failed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from kcl_flowlog.launcher.daemon_log import JUL_FORMAT, DaemonLog
from kcl_flowlog.launcher.java import Jars, Java
from kcl_flowlog.launcher.parent_death import end_with_parent

_MAIN_CLASS = "software.amazon.kinesis.multilang.MultiLangDaemon"
_POLL_INTERVAL = 0.05
# Killed processes that this process can't reap stay in the group, so don't wait long for them.
_REAP_TIMEOUT = 1.0
_READER_TIMEOUT = 5.0


def executable(python: str, unset: Sequence[str] = ()) -> str:
    """Return the KCL's `executableName`: the command of a processor, run by `python` without the variables `unset`.

    The KCL splits it at spaces and knows no quotes. So if the path of the interpreter has a space, only its name is
    given, and `environment` puts its folder on the PATH.
    """
    name = os.path.basename(python) if " " in python else python
    # The processor inherits the daemon's environment, and what a process is started with stays readable in /proc.
    without = "".join(f" -u {variable}" for variable in unset)
    return f"{'env' if unset else ''}{without} {name} -m kcl_flowlog.processor".strip()


def environment(environ: Mapping[str, str], python: str) -> dict[str, str]:
    """Return the environment of the daemon and its processors, which finds `python` as `executable` names it."""
    if " " not in python:
        return dict(environ)
    path = os.pathsep.join((os.path.dirname(python), environ.get("PATH", os.defpath)))
    return {**environ, "PATH": path}


def command(java: Java, jars: Jars, options: Sequence[str], debug: bool, properties: Path, logback: Path) -> list[str]:
    """Return the daemon's command line; `options` are the user's options of Java."""
    return [
        java.command,
        *options,
        # After an OutOfMemoryError the KCL may go on as a leader that assigns no shards.
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Dfile.encoding=UTF-8",
        f"-Djava.util.logging.SimpleFormatter.format={JUL_FORMAT}",
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
    """One run of the daemon. `before_kill` is called before processors are killed."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        output: IO[str],
        before_kill: Callable[[], None],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._process = process
        self._output = output
        self._before_kill = before_kill
        self._clock = clock
        self._sleep = sleep
        self._log = DaemonLog()
        self._reader = threading.Thread(target=self._read_output, name="daemon-log", daemon=True)

    @classmethod
    def start(
        cls,
        argv: Sequence[str],
        environ: Mapping[str, str],
        before_kill: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Daemon:
        """Start the daemon from its command line. Call it from the main thread. Raises `OSError`."""
        process = subprocess.Popen(
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
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        daemon = cls(process, process.stdout, before_kill, clock, sleep)
        daemon._reader.start()
        return daemon

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its session and group."""
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether the daemon has said that it is initialised."""
        return self._log.is_ready

    @property
    def tail(self) -> list[str]:
        """The last warnings of its log, the oldest first."""
        return self._log.tail

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Ask the daemon to make the last checkpoints and end."""
        if self.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self, patience: float = 5.0) -> None:
        """Leave no process of the daemon's group.

        Kills a daemon that still runs. Gives its processors `patience` seconds to see the end of their input, and then
        kills them too.
        """
        if self.poll() is None:
            self._kill_group()
            self._process.wait()
        self._wait_for_group(patience)
        self._kill_group()
        self._wait_for_group(_REAP_TIMEOUT)
        self._reader.join(_READER_TIMEOUT)
        self._output.close()

    def _wait_for_group(self, seconds: float) -> None:
        deadline = self._clock() + seconds
        while self._group_exists() and self._clock() < deadline:
            _reap_group(self.pid)
            self._sleep(_POLL_INTERVAL)

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

    def _read_output(self) -> None:
        for line in self._output:
            self._log.add(line.rstrip("\n"))
        self._log.flush()


def _reap_group(group: int) -> None:
    """Reap the ended processes of a group; this process became their parent when the daemon ended."""
    try:
        while os.waitpid(-group, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return
