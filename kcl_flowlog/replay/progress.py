"""The progress of a replay on stderr: a bar, or how much was read if nobody knows how much there is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

STDIN = "-"

_STEPS = 1000
_MEGABYTE = 1_000_000


@contextmanager
def progress(names: Sequence[str], is_shown: bool) -> Iterator[Callable[[int], object]]:
    """Show the progress through files; yield a function that takes the number of bytes read since its last call."""
    if not is_shown:
        yield lambda _: None
    elif STDIN in names:
        yield _Megabytes(sys.stderr.write)
        click.echo(err=True)
    else:
        size = sum(map(os.path.getsize, names))
        with click.progressbar(
            length=size, label="Reading", file=sys.stderr, update_min_steps=max(1, size // _STEPS)
        ) as bar:
            yield bar.update


class _Megabytes:
    """Writes how many megabytes were read, each time that there is one more."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._read = 0

    def __call__(self, size: int) -> None:
        before, self._read = self._read, self._read + size
        if not before or before // _MEGABYTE < self._read // _MEGABYTE:
            self._write(f"\rReading {self._read / _MEGABYTE:,.0f} MB")
