"""Damage of the ledger's file: how to tell it from other errors.

A damaged ledger ends the instance; its next start sets the file aside (`kcl_flowlog.commits.soundness`). A ledger that
can't be used for another reason (permissions, a lock, a full disk) is not damaged. Knows no table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

LedgerError = sqlite3.Error
"""What the ledger raises if its file is damaged, locked for too long, on a full disk, or the like."""

# What SQLite says of the world around the file; it names any other error by what it found in the file. The errors have
# codes only since Python 3.11.
_OF_THE_WORLD = (
    "access permission denied",
    "attempt to write a readonly database",
    "database is locked",
    "database or disk is full",
    "database schema is locked",
    "database table is locked",
    "disk I/O error",
    "interrupted",
    "large file support is disabled",
    "locking protocol",
    "no such function",
    "unable to open database file",
)


class DamagedLedger(sqlite3.DatabaseError):
    """The content of the ledger is not what was written; the text says what does not match."""


@contextmanager
def undecodable_is_damage() -> Iterator[None]:
    """Raise `DamagedLedger` if SQLite complains of a statement in the file in bytes that are not text."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DamagedLedger(f"a statement of its tables can't be read: {error}") from error


def is_damage(error: BaseException) -> bool:
    """Return whether an error means that the file is damaged, and not just unusable now."""
    if isinstance(error, sqlite3.OperationalError):
        return not str(error).startswith(_OF_THE_WORLD)
    # Other subclasses name other causes; sqlite3 raises DatabaseError itself only for bad content.
    return type(error) in (sqlite3.DatabaseError, DamagedLedger)


class DamageNote:
    """The first damage that any thread has met; only a restart of the instance repairs that."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def take(self, error: Exception) -> None:
        """Note an error if it means damage."""
        if self.error is None and is_damage(error):
            self.error = error
