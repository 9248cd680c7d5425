"""The pipe at the stdout of a member, and its reader, which a fault can slow down."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import BinaryIO

# Bytes and seconds between two reads of a slow reader.
_SIP = 256
_INTERVAL = 0.2


class Reader:
    """Reads what the member writes, and appends it to the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.touch()
        # Set unless the reader is slow, or does not read at all.
        self._is_quick = threading.Event()
        self._is_quick.set()
        self._may_sip = True
        self._lock = threading.Lock()

    def open(self) -> BinaryIO:
        """Return the writing end of a new pipe. Its reader ends when all writers have."""
        reading, writing = os.pipe()
        threading.Thread(target=self._read, args=(reading,), name="stdout", daemon=True).start()
        return os.fdopen(writing, "wb", 0)

    def slow_down(self, may_sip: bool) -> None:
        """Read only a little at a time from now on, or nothing."""
        self._may_sip = may_sip
        self._is_quick.clear()

    def speed_up(self) -> None:
        """Read normally again."""
        self._is_quick.set()

    def text(self) -> str:
        """Return everything read so far."""
        with self._lock:
            return self._path.read_text(errors="replace")

    def _read(self, reading: int) -> None:
        with os.fdopen(reading, "rb", 0) as pipe:
            while True:
                is_quick = self._is_quick.wait(_INTERVAL)
                if not is_quick and not self._may_sip:
                    continue
                read = pipe.read(65536 if is_quick else _SIP)
                # The end of a line that a death has cut off.
                self._append(read or b"\n")
                if not read:
                    return

    def _append(self, text: bytes) -> None:
        with self._lock, self._path.open("ab") as file:
            file.write(text)
