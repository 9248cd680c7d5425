"""What is shown and kept of lines that did not count."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.replay.findings import dead_letter_file, parse_outcomes, shown_line, shows
from tests.support.builders import NODATA, SKIPDATA, envelope, line
from tests.support.replay import dead_letter, findings
from tests.support.replay import dead_letter_file as letters

UNPLACED = line("10.0.1.77", "10.0.9.1", "eni-9")
TRANSIT = b"tgw-id srcaddr dstaddr bytes\ntgw-1 10.0.1.1 10.9.9.9 44\n"

# A file, and what is shown of it.
SHOWN: dict[str, tuple[bytes, list[str]]] = {
    "malformed": (b"\nbad\n", ["file 1:2: malformed: field_count: bad"]),
    "unattributed": (UNPLACED.encode(), [f"file 1:1: unattributed: {UNPLACED}"]),
    "skipped by AWS": (SKIPDATA.encode(), [f"file 1:1: skipdata: {SKIPDATA}"]),
    "no traffic": (NODATA.encode(), [f"file 1:1: nodata: {NODATA}"]),
    "of a transit gateway": (TRANSIT, ["file 1:2: unsupported: tgw-1 10.0.1.1 10.9.9.9 44"]),
    "in an envelope": (
        base64.b64encode(envelope("bad")) + b"\n\n" + base64.b64encode(envelope("bad", 7)),
        [
            "file 1:1: malformed: field_count: bad",
            "file 1:3: malformed: field_count: bad",
            'file 1:3: malformed: not_text: {"id": "1", "timestamp": 0, "message": 7}',
        ],
    ),
    "a payload": (b"\0\xff\x1b[m", ["file 1: malformed: payload_encoding: \\u0000\\xff\\u001b[m"]),
    "dead letters": (
        letters(
            dead_letter("line", "bad"),
            dead_letter("event", "7"),
            dead_letter("payload", "not base64!", "payload_encoding"),
            dead_letter("payload", "YQ==", "payload_damaged", truncated=True),
        ),
        [
            "file 1:1: malformed: field_count: bad",
            "file 1:2: malformed: not_text: 7",
            "file 1:3: malformed: payload_encoding: not base64!",
            "file 1:4: malformed: payload_damaged: a",
        ],
    ),
    "a long line": (b"x" * 2000, ["file 1:1: malformed: field_count: " + "x" * 1000]),
    "characters that a terminal obeys": (b"a\x1b]b", ["file 1:1: malformed: field_count: a\\u001b]b"]),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_finding_is_a_line(name: str) -> None:
    """As compilers print them: the file, the line, and why."""
    content, expected = SHOWN[name]

    assert sorted(expected) == sorted(map(shown_line, findings(content)))


def test_only_the_wanted_outcomes_are_shown() -> None:
    """In any order."""
    written: list[str] = []
    show = shows(parse_outcomes(" skipdata,unattributed"), written.append)

    for finding in findings(f"bad\n{SKIPDATA}\n{UNPLACED}\n".encode()):
        show(finding)

    assert ["skipdata", "unattributed"] == [text.split(": ")[1] for text in written]


def test_a_file_that_can_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    """The system says why."""
    path = tmp_path / "missing" / "letters.jsonl"

    with pytest.raises(ConfigError) as refused, dead_letter_file(path, ()):
        pass

    assert f"--dead-letters: {path} can't be written: No such file or directory." == str(refused.value)


def test_all_dead_letters_are_kept(tmp_path: Path) -> None:
    """However many a file has: a processor keeps a thousand of a commit."""
    path = tmp_path / "letters.jsonl"

    with dead_letter_file(path, ("-",)) as keep:
        for finding in findings(b"bad\n" * 3000):
            keep(finding)

    assert 3000 == path.read_bytes().count(b"\n")
