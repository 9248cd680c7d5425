"""Another systemd: process 1 of new namespaces over a copy of this machine's files, which starts only what it must.

The kernel is this machine's and the network the caller's; changes of files go to a scratch directory, except in folders
that are shared with the caller. Its /run, /tmp, /sys and control groups are new, so that it meets no other
systemd. It begins with a target that wants only its journal, and the targets that services wait for are empty.

Needs root, and a scratch directory on a file system that holds an upper layer, such as tmpfs. Raises `TimeoutError`
with what it wrote on its console if it does not come up.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

INIT = Path("/lib/systemd/systemd")
# Of these, Debian's pull in what sets up a machine: devices, temporary files, a network.
_EMPTY_TARGETS = ("sysinit", "basic", "timers", "sockets", "paths", "local-fs", "network-online", "multi-user")
_TARGET = "[Unit]\nDefaultDependencies=no\n"
_FIRST = "small.target"
_NAMESPACES = ("--mount", "--pid", "--cgroup", "--ipc", "--uts")
_NEW = ("run", "tmp", "var/tmp")
# The first argument is the new root. pivot_root, because PrivateUsers= is refused in a chroot.
_BEGIN = f"""set -eu
mount --make-rprivate /
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
cd "$1"
mkdir -p old
pivot_root . old
umount --lazy /old
exec env --ignore-environment container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin {INIT} --unit={_FIRST}
"""
# Seconds, for something that is only slow if it is broken.
_PATIENCE = 120.0


class Systemd:
    """Runs inside a `with` statement; `shared` are folders whose files are the caller's."""

    def __init__(self, scratch: Path, shared: Sequence[str]) -> None:
        self._root = scratch / "root"
        self._layers = (scratch / "upper", scratch / "work")
        self._console = scratch / "console"
        self._shared = shared
        self._outer: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def __enter__(self) -> Systemd:
        self._make_root()
        self._output = self._console.open("wb")
        self._outer = subprocess.Popen(
            ["unshare", *_NAMESPACES, "--fork", "bash", "-c", _BEGIN, "bash", self._root],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def command(self, program: str) -> list[str]:
        """Return the command that runs a program in it, to which the program's arguments are added."""
        return ["nsenter", f"--target={self._process()}", "--pid", "--mount", "--root", "--wd=/", program]

    def run(self, *words: str) -> str:
        """Run `systemctl` with these words; return what it prints. Raises `subprocess.CalledProcessError`."""
        done = subprocess.run([*self.command("systemctl"), *words], stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def _make_root(self) -> None:
        for folder in (self._root, *self._layers):
            folder.mkdir(parents=True)
        upper, work = self._layers
        _mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", "overlay", self._root)
        for name in _NEW:
            _mount("-t", "tmpfs", "tmpfs", self._root / name)
        _mount("--rbind", "/dev", self._root / "dev")
        for path in self._shared:
            _mount("--bind", path, self._root / path.lstrip("/"))
        units = self._root / "run" / "systemd" / "system"
        units.mkdir(parents=True)
        for target in _EMPTY_TARGETS:
            (units / f"{target}.target").write_text(_TARGET)
        (units / _FIRST).write_text(f"{_TARGET}AllowIsolate=yes\nWants=systemd-journald.service\n")

    def _process(self) -> int:
        """Return the id of the process that is process 1 inside; raise `ProcessLookupError` if it has ended."""
        assert self._outer is not None
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        if not children:
            raise ProcessLookupError("systemd has ended")
        return int(children[0])

    def _wait_until_it_answers(self) -> None:
        assert self._outer is not None
        deadline = time.monotonic() + _PATIENCE
        while not (self._root / "run" / "systemd" / "private").exists():
            if self._outer.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"systemd does not come up:\n{self._console.read_text(errors='replace')}")
            time.sleep(0.1)

    def _end(self) -> None:
        """End it, and with process 1 all that it started."""
        if self._outer is not None:
            try:
                os.kill(self._process(), signal.SIGKILL)
            except (ProcessLookupError, FileNotFoundError):
                self._outer.kill()
            self._outer.wait()
        if self._output is not None:
            self._output.close()


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *words], check=True)
