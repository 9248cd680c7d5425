"""Which file systems can't hold a state directory.

The write-ahead log of SQLite needs shared memory and locks that hold for all processes of an instance, and `fsync` that
reaches a disk. A network file system promises none of these, so the ledger could be damaged or lost: a `ConfigError`.
Others may do, but it depends on how they are set up: worth a warning. Knows nothing on a system without /proc.
"""

from __future__ import annotations

import re
from pathlib import Path

from kcl_flowlog.errors import ConfigError

_REFUSED = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda"),
        *("fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.mount-s3", "fuse.goofys", "fuse.gcsfuse"),
        *("fuse.blobfuse", "fuse.blobfuse2"),
    )
)
# File systems of virtual machines, and of clusters that keep the promises if they are set up for it.
_DOUBTFUL = frozenset(("9p", "virtiofs", "vboxsf", "ceph", "lustre", "gpfs", "ocfs2", "gfs2"))


def doubtful_file_system(directory: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """Return the type of the file system that holds a directory if it is doubtful, else an empty text.

    Raises `ConfigError` if it is a network file system.
    """
    kind = _kind_of(directory, mounts)
    if kind in _REFUSED:
        raise ConfigError(
            f"The state directory {directory} is on a network file system ({kind}), where the ledger can be damaged;"
            " name a directory on a local disk or a block volume with --state-dir DIR."
        )
    return kind if kind in _DOUBTFUL or kind.startswith("fuse.") else ""


def _kind_of(directory: Path, mounts: Path) -> str:
    """Return the type of the file system that holds a directory, empty if that is unknown."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    path = directory.resolve()
    found = (0, "")
    for line in lines:
        # See proc(5): the mount point is the fifth field, the type follows a lone hyphen.
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.partition(" ")[0]
        if len(fields) < 6:
            continue
        mount_point = Path(_unescaped(fields[4]))
        # The longest mount point holds it; of several at one place, the last.
        if path.is_relative_to(mount_point) and len(mount_point.parts) >= found[0]:
            found = (len(mount_point.parts), kind)
    return found[1]


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
