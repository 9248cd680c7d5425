"""Certificates and keys in PEM form: in a file, or in the web config itself. Knows nothing of their meaning."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Pem:
    """What a key of the web config gives: a file, or the text of a file."""

    key: str
    file: Path | None = None
    text: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.key if self.file is None else str(self.file)

    @contextmanager
    def path(self) -> Iterator[Path]:
        """Return a path for a library that reads only files. A text has one in memory only, for as long as needed."""
        if self.file is not None:
            yield self.file
            return
        descriptor = os.memfd_create("pem")
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.text.encode())
            file.flush()
            yield Path(f"/proc/self/fd/{descriptor}")
