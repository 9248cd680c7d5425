"""The check of a ledger at a start: a damaged file is set aside, so that a fresh ledger can begin.

A damaged ledger is kept, never deleted: it may be repaired by hand. Raises `sqlite3.OperationalError` if the file can't
be read for a reason other than damage, and `ConfigError` if a newer version has written it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kcl_flowlog.commits.damage import LedgerError, is_damage, undecodable_is_damage
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.write_ahead_log import lost_commits

_PATIENCE = 30.0
_MAGIC = b"SQLite format 3\0"
# What byte 18 of a file may be; with any other value SQLite does not write to it.
_WRITE_VERSIONS = (1, 2)


def set_aside_if_broken(path: Path, suffix: str) -> tuple[Path, str] | None:
    """Rename a damaged ledger by adding `suffix`; return its new path and what is damaged, None if nothing is."""
    if not path.exists():
        return None
    damage = _damage_of(path)
    if damage is None:
        return None
    return set_aside(path, suffix), damage


def set_aside(path: Path, suffix: str) -> Path:
    """Rename a ledger by adding `suffix`, so that a fresh ledger can begin; return its new path."""
    aside = path.with_name(f"{path.name}.{suffix}")
    path.replace(aside)
    for companion in ("-wal", "-shm"):
        # They belong to the old file; SQLite would apply them to its successor.
        beside = path.with_name(path.name + companion)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + companion))
    return aside


def _damage_of(path: Path) -> str | None:
    # Before anything opens the file, which would bring the log into it.
    lost = lost_commits(path.with_name(path.name + "-wal"))
    if lost:
        return f"{lost} commits in its write-ahead log can't be read"
    try:
        with undecodable_is_damage(), closing(sqlite3.connect(path, timeout=_PATIENCE)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                return str(found)
        # Not earlier: the check has told by now whether the file can be read at all.
        if _is_unwritable(path):
            return "the version of its format is not known"
        with Ledger(path, _PATIENCE) as ledger:
            ledger.verify()
    except LedgerError as error:
        if not is_damage(error):
            raise
        return str(error)
    return None


def _is_unwritable(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(len(_MAGIC) + 3)
    return header.startswith(_MAGIC) and header[18] not in _WRITE_VERSIONS
