"""What `replay` shows of the lines that did not count (`--show`), and keeps of the malformed (`--dead-letters`)."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kcl_flowlog.counting import dead_letter, outcomes
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.replay.files import Finding

SHOWABLE = (outcomes.MALFORMED, outcomes.UNATTRIBUTED, outcomes.UNSUPPORTED, outcomes.SKIPDATA, outcomes.NODATA)
"""The outcomes that `--show` takes."""

# A line that is longer is no flow log.
_MOST_CHARACTERS = 1000

Sink = Callable[[Finding], object]


def parse_outcomes(text: str) -> tuple[str, ...]:
    """Return the outcomes of a comma-separated list. Raises `ConfigError`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in SHOWABLE:
            raise ConfigError(f"--show: {word!r} is not one of: {', '.join(SHOWABLE)}.")
    return tuple(words)


def shown_line(finding: Finding) -> str:
    """Return a finding as a line: FILE:LINE: outcome: reason: text."""
    place = f"{finding.file}:{finding.line}" if finding.line else finding.file
    letter = finding.letter
    why = finding.outcome if letter is None else f"{finding.outcome}: {letter.reason}"
    text = finding.text if letter is None else _body(letter)
    return escape_unprintable(f"{place}: {why}: {text[:_MOST_CHARACTERS]}".rstrip(": "))


def shows(wanted: Collection[str], write: Callable[[str], object]) -> Sink:
    """Return a function that writes each finding with one of the outcomes."""

    def show(finding: Finding) -> None:
        if finding.outcome in wanted:
            write(shown_line(finding))

    return show


@contextmanager
def dead_letter_file(path: Path | None, inputs: Sequence[str]) -> Iterator[Sink]:
    """Open the file of `--dead-letters`; yield a function that writes the dead letter of each finding that has one.

    Raises `ConfigError`.
    """
    if path is None:
        yield lambda _: None
        return
    if path.exists() and any(os.path.exists(name) and os.path.samefile(name, path) for name in inputs):
        raise ConfigError(f"--dead-letters: {path} is one of the files to read; name another file.")
    try:
        with path.open("wb") as file:
            yield lambda finding: finding.letter and file.write(dead_letter.to_line(finding.letter))
    except OSError as error:
        raise ConfigError(f"--dead-letters: {path} can't be written: {error.strerror}.") from error


def _body(letter: DeadLetter) -> str:
    if letter.kind != dead_letter.PAYLOAD:
        return letter.body
    try:
        return base64.b64decode(letter.body).decode(errors="backslashreplace")
    except binascii.Error:
        return letter.body
