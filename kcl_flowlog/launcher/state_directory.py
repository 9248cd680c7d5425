"""The state directory of one instance: its identity, and everything that outlives a restart.

Holds the lock that keeps a second launcher out, the worker id that brings an instance its leases back, and the paths
of all other files. A directory that can't be used is a `ConfigError`.

What it holds is for its user only: log lines may be in the dead letters. From `open` until `close` this process and
those that it starts create no file that others may read.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
import shutil
import socket
import stat
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher.file_system import doubtful_file_system

log = logging.getLogger(__name__)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# The longest path of a Unix socket on Linux, in bytes.
_LONGEST_SOCKET_PATH = 107
# A new random id at each start of the kernel.
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class StateDirectory:
    """The directory; locked from `open` until `close`, or inside a `with` statement."""

    def __init__(self, path: Path, boot_id: Path = _BOOT_ID) -> None:
        self.path = path.absolute()
        self._boot_id = boot_id
        self._lock: IO[bytes] | None = None
        self._umask = 0
        self._findings: list[tuple[int, str, dict[str, object]]] = []
        self._socket_directory: str | None = None

    @property
    def ledger(self) -> Path:
        """The SQLite file of the ledger."""
        return self.path / "ledger.sqlite3"

    @property
    def inventory(self) -> Path:
        """The inventory as last read from EC2, as JSON: for the next start, and for people."""
        return self.path / "inventory.json"

    @property
    def packed_inventory(self) -> Path:
        """The same inventory as the processors map it."""
        return self.path / "inventory.packed"

    @property
    def attempts(self) -> Path:
        """A directory with a file for each shard: the record that its processor has in hand."""
        return self.path / "attempts"

    @property
    def dead_letters(self) -> Path:
        """The dead-letter file, as JSON lines."""
        return self.path / "dead-letters.jsonl"

    @property
    def processor_settings(self) -> Path:
        """The settings of the processors, as JSON."""
        return self.path / "processor.json"

    @property
    def properties(self) -> Path:
        """The rendered properties of the KCL."""
        return self.path / "kcl.properties"

    @property
    def logback(self) -> Path:
        """The logging configuration of the daemon."""
        return self.path / "logback.xml"

    @property
    def java_arguments(self) -> Path:
        """The options of Java that its command line must not show."""
        return self.path / "java.args"

    @property
    def trust_store(self) -> Path:
        """The certificates that Java trusts, if not those that it came with."""
        return self.path / "trust-store.jks"

    def messages_socket(self) -> Path:
        """Return the path of the Unix socket: here, or in a temporary directory if it would be too long here."""
        path = self.path / "messages.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        if self._socket_directory is None:
            self._socket_directory = tempfile.mkdtemp(prefix="kcl-flowlog-")
        return Path(self._socket_directory) / "messages.sock"

    def worker_id(self) -> str:
        """Return this instance's worker id. The first call ever makes it up; a restart keeps it, and so its leases."""
        return self._read_or_write("worker-id", f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}")

    def processor_key(self) -> str:
        """Return what tells the processors of this directory from all others, whatever their paths and process ids."""
        return self._read_or_write("processor-key", secrets.token_hex(16))

    def earlier_first_start(self) -> str:
        """Return the first start in whole Unix seconds, as an earlier version noted it here; empty if it did not."""
        path = self.path / "first-start"
        return path.read_text().strip() if path.exists() else ""

    def lock_identity(self) -> str:
        """Return a text that differs for any two locks that can be held at the same time; empty if unknown.

        So a launcher that held a lock with the identity of this lock has ended. The lock must be held.
        """
        try:
            boot = self._boot_id.read_text().strip()
        except OSError:
            return ""
        assert self._lock is not None  # noqa: S101 - the caller holds the lock
        status = os.fstat(self._lock.fileno())
        return f"{boot}:{status.st_dev}:{status.st_ino}"

    def write(self, path: Path, data: bytes) -> None:
        """Replace a file of this directory; it is on disk on return. Raises `OSError`.

        Readers see the old file or the new, never a part.
        """
        self.write_together({path: data})

    def write_together(self, files: Mapping[Path, bytes]) -> None:
        """Replace some files of this directory as `write` does; none of them if the disk has no room for all."""
        for path, data in files.items():
            with _temporary(path).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path in files:
            _temporary(path).replace(path)
        sync_directory(self.path)

    def open(self) -> None:
        """Create the directory if it is missing, lock it, and close it to other users. Raises `ConfigError`."""
        umask = os.umask(_OTHERS)
        try:
            self._lock, file_system = _lock(self.path)
        except ConfigError:
            os.umask(umask)
            raise
        self._umask = umask
        if file_system:
            text = "The state directory is on a file system that may not keep what is written"
            self._findings.append((logging.WARNING, text, {"file_system": file_system}))
        self._close_to_others()

    def log_findings(self) -> None:
        """Log what `open` found and did; not in `open`, because the first line of a run names the run."""
        for level, text, fields in self._findings:
            log.log(level, text, extra={"fields": {"state_dir": str(self.path), **fields}})
        self._findings.clear()

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            os.umask(self._umask)
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)

    def __enter__(self) -> StateDirectory:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_to_others(self) -> None:
        """Take the rights of group and others away, as an earlier version or an administrator has left them.

        A directory of another user stays as it is: Kubernetes gives a volume to root and the group of the pod. Its
        files are closed all the same.
        """
        closed = 0
        for path in (self.path, *self.path.rglob("*")):
            # A file that is gone, or that belongs to another user.
            with suppress(OSError):
                found = path.lstat()
                if found.st_mode & _OTHERS and not stat.S_ISLNK(found.st_mode):
                    path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
                    closed += 1
        if closed:
            self._findings.append((logging.INFO, "Closed the state directory to other users", {"changed": closed}))
        if self.path.stat().st_mode & stat.S_IRWXO:
            text = (
                "Other users may enter the state directory, and it belongs to another user; close it with chmod o-rwx"
            )
            self._findings.append((logging.WARNING, text, {}))

    def _read_or_write(self, name: str, value: str) -> str:
        path = self.path / name
        # An empty file says nothing: two instances must not share the empty id.
        if not path.exists() or not path.read_text().strip():
            self.write(path, value.encode() + b"\n")
        return path.read_text().strip()


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to the disk: of files that were created or renamed. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # A file system that has no such thing; there is no other way to do it.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _lock(path: Path) -> tuple[IO[bytes], str]:
    """Create and lock the directory; return the lock, and its file system if that is doubtful."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        file_system = doubtful_file_system(path)
        lock = (path / "lock").open("ab")
    except OSError as error:
        raise ConfigError(
            f"The state directory {path} can't be written ({error.strerror}); name another with --state-dir DIR."
        ) from error
    take_lock(lock, path)
    return lock, file_system


def take_lock(lock: IO[bytes], path: Path) -> None:
    """Lock a state directory by its open lock file, or close the file and raise `ConfigError`."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ConfigError(
            f"The state directory {path} is in use by another kcl-flowlog; give each instance its own --state-dir."
        ) from error
    except OSError as error:
        lock.close()
        raise ConfigError(
            f"The state directory {path} can't be locked ({error.strerror}); name another with --state-dir DIR."
        ) from error
