"""What can go wrong in the demo."""

from __future__ import annotations

from kcl_flowlog.errors import GaveUp


class DemoError(GaveUp):
    """A part of the demo can't start or has died: one sentence and its last words; the command exits with 1."""


def last_words(output: bytes, lines: int = 12) -> str:
    """Return the last `lines` of what a process wrote, as the end of a sentence about it."""
    text = output.decode(errors="replace").rstrip().splitlines()[-lines:]
    return " Its last words:\n" + "\n".join(f"  {line}" for line in text) if text else " It said nothing."
