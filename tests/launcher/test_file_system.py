"""File systems that can hold a state directory, that may, and that can't."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher.file_system import doubtful_file_system

MOUNTS = r"""
22 1 259:1 / / rw,relatime shared:1 - {root} /dev/root rw
23 22 0:20 / /proc rw,nosuid shared:5 - proc proc rw
40 22 0:40 / {volume} rw,relatime shared:9 master:2 - {kind} 10.0.0.1:/export rw,vers=4.1
41 22 0:41 / {volume}-2 rw,relatime - tmpfs tmpfs rw
a line that is cut
"""


def mount(directory: Path, kind: str, volume: str = "", root: str = "overlay") -> Path:
    """Return a table of mounts with a file system at `volume`, in the form of /proc."""
    table = directory / "mountinfo"
    volume = (volume or str(directory / "volume")).replace(" ", r"\040")
    table.write_text(MOUNTS.replace("{kind}", kind).replace("{volume}", volume).replace("{root}", root))
    return table


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse.s3fs"])
def test_a_network_file_system_is_refused(tmp_path: Path, kind: str) -> None:
    """The sentence names it, and what to do."""
    state = tmp_path / "volume" / "state"

    with pytest.raises(ConfigError) as raised:
        doubtful_file_system(state, mount(tmp_path, kind))

    assert (
        f"The state directory {state} is on a network file system ({kind}), where the ledger can be damaged;"
        " name a directory on a local disk or a block volume with --state-dir DIR."
    ) == str(raised.value)


@pytest.mark.parametrize("kind", ["9p", "virtiofs", "ceph", "fuse.glusterfs"])
def test_a_doubtful_file_system_is_named(tmp_path: Path, kind: str) -> None:
    """Some of them work, depending on how they are set up."""
    assert kind == doubtful_file_system(tmp_path / "volume" / "state", mount(tmp_path, kind))


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "fuseblk"])
def test_a_local_file_system_is_not_doubtful(tmp_path: Path, kind: str) -> None:
    """Most instances have one."""
    assert doubtful_file_system(tmp_path / "volume", mount(tmp_path, kind)) == ""


# Where a network file system is mounted below the directory of the test, the state directory, and whether it holds it.
PLACES = {
    "the directory itself": ("volume", "volume", True),
    "with a space": ("my volume", "my volume/state", True),
    "another directory with a longer name": ("volume", "volume-2/state", False),
    "beside it": ("volume", "elsewhere", False),
    "through a symbolic link": ("volume", "link/state", True),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_nearest_mount_point_counts(tmp_path: Path, place: str) -> None:
    """Whole names of directories are compared, and links are followed."""
    volume, state, is_on_it = PLACES[place]
    (tmp_path / "link").symlink_to(tmp_path / "volume")
    table = mount(tmp_path, "nfs4", str(tmp_path / volume))
    refused = False

    try:
        doubtful_file_system(tmp_path / state, table)
    except ConfigError:
        refused = True

    assert is_on_it == refused


def test_the_last_of_several_mounts_at_one_place_counts(tmp_path: Path) -> None:
    """It hides the others."""
    table = mount(tmp_path, "nfs4")
    table.write_text(table.read_text() + f"50 22 0:50 / {tmp_path / 'volume'} rw - ext4 /dev/sda rw\n")

    assert doubtful_file_system(tmp_path / "volume", table) == ""


def test_a_root_on_the_network_is_refused(tmp_path: Path) -> None:
    """A machine without a disk."""
    with pytest.raises(ConfigError):
        doubtful_file_system(tmp_path / "elsewhere", mount(tmp_path, "tmpfs", root="nfs"))


def test_nothing_happens_where_mounts_cannot_be_listed(tmp_path: Path) -> None:
    """Not every system has a /proc."""
    assert doubtful_file_system(tmp_path, tmp_path / "nowhere") == ""
