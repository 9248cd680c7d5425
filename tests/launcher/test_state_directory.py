"""The state directory: one launcher at a time, and the same instance after a restart."""

import tempfile
import threading
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher.state_directory import StateDirectory

LONGEST_SOCKET_PATH = 107


@pytest.fixture
def state(tmp_path):
    with StateDirectory(tmp_path / "state") as opened:
        yield opened


def test_a_missing_directory_is_made_with_its_parents(tmp_path):
    """A first start needs no preparation."""
    with StateDirectory(tmp_path / "a" / "b") as state:
        assert state.path.is_dir()


def test_a_second_launcher_is_kept_out(tmp_path):
    """While one launcher has the directory, another one gets an error that says what to do."""
    with (
        StateDirectory(tmp_path),
        pytest.raises(ConfigError, match=f"{tmp_path} is in use by another kcl-flowlog; give each instance its own"),
    ):
        StateDirectory(tmp_path)


def test_the_lock_ends_with_its_holder(tmp_path):
    """A closed directory can be opened again, although the lock's file is still there."""
    StateDirectory(tmp_path).close()
    StateDirectory(tmp_path).close()
    assert (tmp_path / "lock").exists()


@pytest.mark.parametrize("below", ["", "state"])
def test_a_file_in_its_place_is_told_in_a_sentence(tmp_path, below):
    """A path that can't be a directory is the user's to mend."""
    (tmp_path / "taken").write_text("")
    path = tmp_path / "taken" / below
    with pytest.raises(ConfigError, match=rf"^The state directory {path} can't be written \(.+\); give another with"):
        StateDirectory(path)


def test_a_lock_that_the_file_system_refuses_is_not_blamed_on_another_launcher(tmp_path, monkeypatch):
    """Where locking itself fails, as on some network file systems, the error says so."""

    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("kcl_flowlog.launcher.state_directory.fcntl.flock", refuse)
    with pytest.raises(ConfigError, match=r"can't be locked \(No locks available\)"):
        StateDirectory(tmp_path)


def test_the_worker_id_outlives_a_restart_and_differs_between_instances(tmp_path):
    """An instance keeps its id for as long as it keeps its directory; no other has the same."""

    def worker_id(name):
        with StateDirectory(tmp_path / name) as state:
            first, again = state.worker_id(), state.worker_id()
            assert first == again
            return first

    assert worker_id("one") == worker_id("one")
    assert worker_id("one") != worker_id("two")


def test_the_first_start_is_remembered(tmp_path):
    """The moment of the first start stays what it was, in whole seconds."""
    with StateDirectory(tmp_path) as state:
        first = state.first_start(1000.9)
    with StateDirectory(tmp_path) as state:
        later = state.first_start(2000.0)
    assert (first, later) == (1000, 1000)


def test_a_reader_sees_the_old_or_the_new_file(state):
    """A file that is written while others read it is never seen empty or in part."""
    versions = [bytes([65 + number]) * 100_000 for number in range(8)]
    path = state.path / "file"
    state.write(path, versions[0])
    written = threading.Event()

    def write():
        for version in versions * 3:
            state.write(path, version)
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not written.is_set():
        seen.add(path.read_bytes())
    writer.join()
    assert seen <= set(versions)
    assert path.read_bytes() == versions[-1]


def test_a_failed_write_leaves_the_old_file(state):
    """When the new file can't be written, the old one is still whole."""
    path = state.path / "file"
    state.write(path, b"old")
    path.with_name("file.new").mkdir()  # fails for root too

    with pytest.raises(OSError, match="directory"):
        state.write(path, b"new")

    assert path.read_bytes() == b"old"


def test_the_socket_is_in_the_directory(state):
    """The messages' socket is found beside everything else."""
    assert state.messages_socket() == state.path / "messages.sock"


@pytest.mark.parametrize(("length", "is_inside"), [(LONGEST_SOCKET_PATH, True), (LONGEST_SOCKET_PATH + 1, False)])
def test_a_path_too_long_for_a_socket_moves_it_elsewhere(length, is_inside):
    """A socket's path of up to 107 bytes is inside; a longer one moves to a place of its own, gone at the end."""
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        name = "d" * (length - len(f"{base}//messages.sock"))
        with StateDirectory(Path(base) / name) as state:
            first, again = state.messages_socket(), state.messages_socket()
            assert first == again
            assert (first.parent == state.path) is is_inside
            assert first.parent.is_dir()
        assert first.parent.exists() is is_inside
