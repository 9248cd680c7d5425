"""The state directory: one launcher at a time, and the same instance after a restart."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher.state_directory import StateDirectory
from tests.support.log_records import fields

LONGEST_SOCKET_PATH = 107


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    with StateDirectory(tmp_path / "state") as opened:
        yield opened


def test_nothing_happens_before_it_is_opened(tmp_path: Path) -> None:
    """A directory that was never opened can be closed."""
    StateDirectory(tmp_path / "state").close()

    assert [] == list(tmp_path.iterdir())


def test_a_missing_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    """A first start needs no preparation."""
    with StateDirectory(tmp_path / "a" / "b") as state:
        assert state.path.is_dir()


def test_a_second_launcher_is_kept_out(tmp_path: Path) -> None:
    """While a launcher has the directory, another gets an error that says what to do."""
    with (
        StateDirectory(tmp_path),
        pytest.raises(ConfigError, match=f"{tmp_path} is in use by another kcl-flowlog; give each instance its own"),
    ):
        StateDirectory(tmp_path).open()


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    """A closed directory can be opened again, although the lock's file is still there."""
    with StateDirectory(tmp_path):
        pass

    with StateDirectory(tmp_path):
        assert (tmp_path / "lock").exists()


@pytest.mark.parametrize("below", ["", "state"])
def test_a_file_in_its_place_is_an_error_of_the_user(tmp_path: Path, below: str) -> None:
    """The sentence names the path, the reason and the setting."""
    (tmp_path / "taken").write_text("")
    path = tmp_path / "taken" / below

    with pytest.raises(ConfigError, match=rf"^The state directory {path} can't be written \(.+\); name another with"):
        StateDirectory(path).open()


def test_a_lock_that_the_file_system_refuses_is_not_blamed_on_another_launcher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where locking itself fails, as on some network file systems, the error says so."""

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("kcl_flowlog.launcher.state_directory.fcntl.flock", refuse)
    with pytest.raises(ConfigError, match=r"can't be locked \(No locks available\)"):
        StateDirectory(tmp_path).open()


@pytest.mark.parametrize("name", ["worker_id", "processor_key"])
def test_an_id_outlives_a_restart_and_differs_between_instances(tmp_path: Path, name: str) -> None:
    """An instance keeps its ids as long as it keeps its directory; no other has the same."""

    def read_id(directory: str) -> str:
        with StateDirectory(tmp_path / directory) as state:
            first, again = getattr(state, name)(), getattr(state, name)()
            assert first == again
            return str(first)

    assert read_id("first") == read_id("first")
    assert read_id("first") != read_id("second")


def test_an_empty_file_is_no_id(state: StateDirectory) -> None:
    """It is made up again, or all directories with such a file would be one instance."""
    (state.path / "processor-key").write_text("\n")

    assert 32 == len(state.processor_key())


def test_only_an_earlier_version_has_noted_its_first_start(state: StateDirectory) -> None:
    """This version notes it for the whole application."""
    assert "" == state.earlier_first_start()

    (state.path / "first-start").write_text("1700000000\n")

    assert "1700000000" == state.earlier_first_start()


def test_the_lock_has_the_same_identity_after_a_restart(tmp_path: Path) -> None:
    """So the next launcher knows that the last has ended, because it holds its lock."""
    identities = []
    for _ in range(2):
        with StateDirectory(tmp_path) as state:
            identities.append(state.lock_identity())

    assert identities[0]
    assert identities[0] == identities[1]


def test_the_lock_of_a_copy_has_another_identity(tmp_path: Path) -> None:
    """Its launcher may run."""
    with StateDirectory(tmp_path / "first") as first:
        shutil.copytree(tmp_path / "first", tmp_path / "copy", copy_function=shutil.copy2)
        with StateDirectory(tmp_path / "copy") as copy:
            assert first.lock_identity() != copy.lock_identity()


def test_the_lock_on_another_machine_has_another_identity(tmp_path: Path) -> None:
    """As on a disk that was cloned; each start of a kernel has its own random id."""
    identities = []
    for boot_id in ("one", "two"):
        (tmp_path / "boot_id").write_text(boot_id)
        with StateDirectory(tmp_path / "state", tmp_path / "boot_id") as state:
            identities.append(state.lock_identity())

    assert identities[0] != identities[1]


def test_the_identity_of_the_lock_may_be_unknown(tmp_path: Path) -> None:
    """On a system that does not tell its start."""
    with StateDirectory(tmp_path / "state", tmp_path / "missing") as state:
        assert "" == state.lock_identity()


def test_a_reader_sees_the_old_or_the_new_file(state: StateDirectory) -> None:
    """A file that is written while others read it is never seen empty or in part."""
    versions = [bytes([65 + number]) * 100_000 for number in range(8)]
    path = state.path / "file"
    state.write(path, versions[0])
    written = threading.Event()

    def write() -> None:
        for version in versions * 3:
            state.write(path, version)
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen: set[bytes] = set()
    while not written.is_set():
        seen.add(path.read_bytes())
    writer.join()
    assert seen <= set(versions)
    assert versions[-1] == path.read_bytes()


def test_a_failed_write_leaves_the_old_file(state: StateDirectory) -> None:
    """When the new file can't be written, the old file is still whole."""
    path = state.path / "file"
    state.write(path, b"old")
    path.with_name("file.new").mkdir()  # fails for root too

    with pytest.raises(OSError, match="directory"):
        state.write(path, b"new")

    assert b"old" == path.read_bytes()


def test_files_that_belong_together_are_replaced_together_or_not_at_all(state: StateDirectory) -> None:
    """If any of them can't be written, such as on a full disk, all old files are still there."""
    paths = [state.path / "one", state.path / "two"]
    state.write_together(dict.fromkeys(paths, b"old"))
    (state.path / "two.new").mkdir()

    with pytest.raises(OSError, match="directory"):
        state.write_together(dict.fromkeys(paths, b"new"))

    assert [b"old", b"old"] == [path.read_bytes() for path in paths]


def test_the_socket_is_in_the_directory(state: StateDirectory) -> None:
    """Beside everything else."""
    assert state.path / "messages.sock" == state.messages_socket()


@pytest.mark.parametrize(("length", "is_inside"), [(LONGEST_SOCKET_PATH, True), (LONGEST_SOCKET_PATH + 1, False)])
def test_a_path_too_long_for_a_socket_moves_it_elsewhere(length: int, is_inside: bool) -> None:
    """A path of up to 107 bytes is inside; a longer path is in a temporary directory, which is gone at the end."""
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        name = "d" * (length - len(f"{base}//messages.sock"))
        with StateDirectory(Path(base) / name) as state:
            first, again = state.messages_socket(), state.messages_socket()
            assert first == again
            assert (is_inside, True) == (first.parent == state.path, first.parent.is_dir())
        assert is_inside == first.parent.exists()


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_a_written_file_is_on_disk(state: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """First its content under another name, then the directory, which holds the name."""
    synced: list[tuple[str, list[str]]] = []

    def note(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((path.name, sorted(file.name for file in state.path.glob("file*"))))

    monkeypatch.setattr(os, "fsync", note)
    state.write(state.path / "file", b"content")

    assert [("file.new", ["file.new"]), ("state", ["file"])] == synced


def test_only_its_user_may_read_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The directory, and what this process and others that it starts create in it; a first start says nothing of it."""
    caplog.set_level("INFO")
    with StateDirectory(tmp_path / "state") as state:
        state.write(state.path / "file", b"")
        with Ledger(state.ledger) as ledger:
            ledger.begin_generation()
            subprocess.run(["/bin/sh", "-c", "mkdir attempts; touch attempts/shard"], cwd=state.path, check=True)
            state.log_findings()
            modes = {path.name: mode(path) for path in (state.path, *state.path.rglob("*"))}

    assert {
        "state": "0o700",
        "lock": "0o600",
        "file": "0o600",
        "ledger.sqlite3": "0o600",
        "ledger.sqlite3-wal": "0o600",
        "ledger.sqlite3-shm": "0o600",
        "attempts": "0o700",
        "shard": "0o600",
    } == modes
    assert [] == caplog.records


def test_a_directory_that_is_open_to_others_is_closed_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With all that an earlier version has left in it; the log says so the first time. A link is left alone."""
    caplog.set_level("INFO")
    outside = tmp_path / "outside"
    outside.write_text("")
    outside.chmod(0o644)
    directory = tmp_path / "state"
    (directory / "attempts").mkdir(parents=True)
    (directory / "attempts" / "shard").write_text("")
    (directory / "dead-letters.jsonl").write_text("")
    (directory / "link").symlink_to(outside)
    for path, old in ((directory, 0o2775), (directory / "attempts", 0o755), (directory / "attempts" / "shard", 0o664)):
        path.chmod(old)

    for _ in range(2):
        with StateDirectory(directory) as state:
            state.log_findings()

    assert ("0o2700", "0o700", "0o600", "0o600") == (
        mode(directory),
        mode(directory / "attempts"),
        mode(directory / "attempts" / "shard"),
        mode(directory / "dead-letters.jsonl"),
    )
    assert "0o644" == mode(outside)
    assert [("INFO", "Closed the state directory to other users")] == [
        (record.levelname, record.getMessage()) for record in caplog.records
    ]


# The mode of a directory that belongs to another user, and what the log says.
FOREIGN = {
    0o2770: [],
    0o2777: ["Other users may enter the state directory, and it belongs to another user; close it with chmod o-rwx"],
}


@pytest.mark.parametrize("old", FOREIGN)
def test_a_directory_of_another_user_is_used_as_it_is(
    tmp_path: Path, old: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a volume of Kubernetes, which belongs to root and to the pod's group."""
    caplog.set_level("INFO")
    tmp_path.chmod(old)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with StateDirectory(tmp_path) as state:
        state.log_findings()
        state.write(state.path / "file", b"")
        assert ("0o600", oct(old)) == (mode(state.path / "file"), mode(tmp_path))

    assert FOREIGN[old] == caplog.messages


def test_a_closed_directory_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    """Also one that could not be opened."""
    before = os.umask(0o022)
    try:
        with StateDirectory(tmp_path), pytest.raises(ConfigError):
            StateDirectory(tmp_path).open()
        assert 0o022 == os.umask(0o022)
    finally:
        os.umask(before)


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a second launcher could take its locks for granted."""

    def refuse(directory: Path) -> None:
        raise ConfigError(f"{directory} is on a network file system")

    monkeypatch.setattr("kcl_flowlog.launcher.state_directory.doubtful_file_system", refuse)
    with pytest.raises(ConfigError, match="network file system"):
        StateDirectory(tmp_path).open()


def test_a_doubtful_file_system_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, and not before the line that names the run."""
    monkeypatch.setattr("kcl_flowlog.launcher.state_directory.doubtful_file_system", lambda _: "9p")
    with StateDirectory(tmp_path / "state") as state:
        assert [] == caplog.records
        state.log_findings()
        state.log_findings()

    assert [{"state_dir": str(state.path), "file_system": "9p"}] == [fields(record) for record in caplog.records]
