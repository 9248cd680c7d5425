"""Ledger files that can't be continued: how to tell that one is damaged, and how to set it aside.

A damaged ledger is kept, never deleted: it may be repaired by hand. A ledger
that can't be read for another reason (permissions, a lock, a full disk) is
not damaged.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

LedgerError = sqlite3.Error
"""What the ledger raises if its file is damaged, locked for too long, on a full disk, or the like."""

_CHECK_PATIENCE = 30.0


def is_damage(error: Exception) -> bool:
    """Return whether an error means that the file is damaged, and not just unusable now."""
    # Subclasses such as OperationalError name other causes; sqlite3 raises DatabaseError itself only for bad content.
    return type(error) is sqlite3.DatabaseError


def set_aside_if_broken(path: Path, suffix: str) -> Path | None:
    """Rename a damaged ledger by adding `suffix`; return its new path, None if there is no damage.

    Raises `sqlite3.OperationalError` if the file can't be read for another reason.
    """
    if not path.exists() or _is_sound(path):
        return None
    return set_aside(path, suffix)


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


def _is_sound(path: Path) -> bool:
    try:
        connection = sqlite3.connect(path, timeout=_CHECK_PATIENCE)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        finally:
            connection.close()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return False  # too damaged for the check to run
