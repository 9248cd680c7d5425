"""The state of a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kcl_flowlog.web.file_state import file_state

PEM = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("content", "certificates"), [("", 0), ("text", 0), (PEM, 1), (PEM * 3, 3), (PEM + PEM[:30], 2)]
)
def test_the_state_counts_the_certificates_that_begin(tmp_path: Path, content: str, certificates: int) -> None:
    """Also of a file that ends in the middle of its last certificate."""
    path = tmp_path / "file"
    path.write_text(content)

    assert certificates == file_state(path).certificates


def test_a_file_that_cannot_be_read_is_like_an_empty_file(tmp_path: Path) -> None:
    """It is missing, a directory, or a pipe, whose contents belong to its reader."""
    empty, pipe = tmp_path / "empty", tmp_path / "pipe"
    empty.touch()
    os.mkfifo(pipe)

    assert {file_state(empty)} == {file_state(tmp_path / "missing"), file_state(tmp_path), file_state(pipe)}
