"""The state of a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kcl_flowlog.web import file_state as module
from kcl_flowlog.web.file_state import READ_AGAIN_AFTER, SURE_AFTER, FileState, FileStates, file_state

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


class Reads:
    """Counts the files that are read, and holds the clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.number = 0

    def read(self, path: Path) -> FileState:
        self.number += 1
        return file_state(path)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Counts from now on."""
    reads = Reads()
    monkeypatch.setattr(module, "file_state", reads.read)
    return reads


def test_a_file_that_does_not_change_is_read_once_a_minute(tmp_path: Path, reads: Reads) -> None:
    """Not for each request, once enough time has passed to see a change without reading."""
    path = tmp_path / "file"
    path.write_text("text")
    states = FileStates(lambda: reads.now)

    counts = []
    for pause in (0.0, SURE_AFTER, 0.0, READ_AGAIN_AFTER - 1, 0.5, 0.5, 0.0):
        reads.now += pause
        for _ in range(10):
            assert file_state(path) == states(path)
        counts.append(reads.number)

    assert [10, 11, 11, 11, 11, 12, 12] == counts


def rewrite(path: Path) -> None:
    path.write_text("next")


def replace(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text("next")
    os.replace(fresh, path)


def swap_link(path: Path) -> None:
    """As Kubernetes replaces the files of a Secret."""
    directory = path.with_name("next")
    directory.mkdir()
    (directory / "file").write_text("next")
    path.unlink()
    path.symlink_to(directory / "file")


@pytest.mark.parametrize("change", [rewrite, replace, swap_link])
@pytest.mark.parametrize("pause", [0.0, SURE_AFTER], ids=["at once", "later"])
def test_a_change_that_leaves_time_and_size_alone_shows(
    tmp_path: Path, reads: Reads, change: Callable[[Path], None], pause: float
) -> None:
    """Whoever changes the file sets its time back."""
    path = tmp_path / "file"
    path.write_text("text")
    os.utime(path, ns=(0, 0))
    states = FileStates(lambda: reads.now)
    states(path)
    reads.now += pause
    before = states(path)

    change(path)
    os.utime(path, ns=(0, 0))

    assert before != states(path) == file_state(path)


def test_two_writes_within_one_step_of_the_file_systems_clock_show(
    tmp_path: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the contents tells of the second write."""
    path = tmp_path / "file"
    path.write_text("text")
    monkeypatch.setattr(module, "_signature", lambda _: (1,))
    states = FileStates(lambda: reads.now)
    before = states(path)
    reads.now += SURE_AFTER - 0.1
    path.write_text("next")
    after = states(path)
    reads.now += SURE_AFTER
    path.write_text("last")

    assert before != after != states(path) == file_state(path)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_file_that_comes_or_goes_shows(tmp_path: Path, reads: Reads, is_there: bool) -> None:
    """However long it was missing, or was there."""
    path = tmp_path / "file"
    if is_there:
        path.write_text("text")
    states = FileStates(lambda: reads.now)
    for _ in range(3):
        before = states(path)
        reads.now += SURE_AFTER

    if is_there:
        path.unlink()
    else:
        path.write_text("text")

    assert before != states(path) == file_state(path)
