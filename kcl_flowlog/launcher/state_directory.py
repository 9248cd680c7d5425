"""The state directory of one instance: who it is, and what it must not forget.

Holds the lock that keeps a second launcher out, the worker id that brings an
instance its leases back, the moment of the first start, and the paths of
everything else that is kept. What a user can mend is a `ConfigError`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
import uuid
from pathlib import Path
from typing import IO

from kcl_flowlog.errors import ConfigError

# Linux allows 107 bytes for the path of a Unix socket.
_LONGEST_SOCKET_PATH = 107


class StateDirectory:
    """The directory, locked for as long as this object is open."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._socket_dir: str | None = None
        self._lock = _lock(self.path)

    @property
    def ledger(self) -> Path:
        """The SQLite file of the ledger."""
        return self.path / "ledger.sqlite3"

    @property
    def inventory(self) -> Path:
        """The inventory as last read from EC2, as JSON."""
        return self.path / "inventory.json"

    @property
    def attempts(self) -> Path:
        """A directory with a file for each shard: which record its processor has in hand."""
        return self.path / "attempts"

    @property
    def dead_letters(self) -> Path:
        """What could not be used, as JSON lines."""
        return self.path / "dead-letters.jsonl"

    @property
    def processor_settings(self) -> Path:
        """What the processors have to know, as JSON."""
        return self.path / "processor.json"

    @property
    def properties(self) -> Path:
        """The rendered properties of the KCL."""
        return self.path / "kcl.properties"

    @property
    def logback(self) -> Path:
        """The logging configuration of the daemon."""
        return self.path / "logback.xml"

    def messages_socket(self) -> Path:
        """Return a path for the Unix socket: here, or in a temporary directory if this path is too long."""
        path = self.path / "messages.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        if self._socket_dir is None:
            self._socket_dir = tempfile.mkdtemp(prefix="kcl-flowlog-")
        return Path(self._socket_dir) / "messages.sock"

    def worker_id(self) -> str:
        """Return this instance's worker id, made at the first call ever: with it a restart regains its leases."""
        return self._once("worker-id", f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}")

    def first_start(self, now: float) -> int:
        """Return the moment of the first start ever, in whole Unix seconds."""
        return int(self._once("first-start", str(int(now))))

    def write(self, path: Path, data: bytes) -> None:
        """Replace a file of this directory at once, on disk when this returns; readers see the old or the new."""
        temporary = path.with_name(path.name + ".new")
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def close(self) -> None:
        """Release the lock."""
        self._lock.close()
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)

    def __enter__(self) -> StateDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _once(self, name: str, value: str) -> str:
        path = self.path / name
        if not path.exists():
            self.write(path, value.encode() + b"\n")
        return path.read_text().strip()


def _lock(path: Path) -> IO[bytes]:
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "lock").open("ab")
    except OSError as error:
        raise ConfigError(
            f"The state directory {path} can't be written ({error.strerror}); give another with --state-dir DIR."
        ) from error
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
            f"The state directory {path} can't be locked ({error.strerror}); give another with --state-dir DIR."
        ) from error
    return lock
