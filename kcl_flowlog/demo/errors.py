"""Errors of the demo."""

from __future__ import annotations

from kcl_flowlog.errors import GaveUp


class DemoError(GaveUp):
    """A part of the demo could not start or has died; the command exits with 1."""


def last_output(output: bytes, lines: int = 12) -> str:
    """Return the last `lines` of a process's output, to append to a sentence about the process."""
    text = output.decode(errors="replace").rstrip().splitlines()[-lines:]
    return " Its last output:\n" + "\n".join(f"  {line}" for line in text) if text else " It wrote no output."
