"""Tables of the ledger whose rows have checksums, so that a flipped bit never becomes a wrong total.

Each row has the CRC-32 of its values. The table `checksums` keeps, for each table, how many rows it has and the sum of
their checksums, so a row that vanishes or is read twice is noticed as well. All functions run inside a transaction of
the caller. They raise `DamagedLedger` if rows do not match, also the row that a change replaces: its new checksum would
hide the damage.
"""

# ruff: noqa: S608 - the SQL is made of names of this package, never of data

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Generic, TypeVar
from zlib import crc32

import msgspec

from kcl_flowlog.commits.damage import DamagedLedger

Row = tuple[Any, ...]
"""The values of a row, in the order of the table's columns, without the checksum."""

Content = TypeVar("Content")
Made = TypeVar("Made", bound=tuple[Any, ...])

# The same bytes for the same values with every Python, and other bytes for a value of another type.
_encode = msgspec.msgpack.Encoder().encode


def row_checksum(table: str, *row: object) -> int:
    """Return the checksum of a row of a table; also a function in the SQL of `kcl_flowlog.commits.schema`."""
    return crc32(_encode(row), crc32(table.encode()))


def decode(body: bytes, kind: type[Content]) -> Content:
    """Return the content of a column of JSON. Raises `DamagedLedger`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        # Its checksum is right: the damage is older than the checksums.
        raise DamagedLedger(f"a {kind.__name__} can't be read: {error}") from error


class SeenRows(Generic[Made]):
    """What the last read has made of a table's rows, for the next read to use again.

    `make_key` makes the key of a row, a tuple of at least two columns. `kind` is a named tuple of the key
    and the first values.
    """

    def __init__(self, make_key: Callable[[Iterable[Any]], Row], kind: type[Made]) -> None:
        self.make_key = make_key
        self.kind = kind
        # In the order of the keys; the rows have their checksums.
        self.keys: list[Row] = []
        self.rows: list[Row] = []
        self.made: list[Made] = []


class CheckedTable:
    """A table with the columns `key`, `values` and `checksum`; `key` is its primary key."""

    def __init__(self, name: str, key: tuple[str, ...], values: tuple[str, ...]) -> None:
        self.name = name
        self._key_size = len(key)
        self._key = ", ".join(key)
        self._seed = crc32(name.encode())
        columns = ", ".join((*key, *values, "checksum"))
        places = ", ".join("?" * (len(key) + len(values) + 1))
        self._select = f"SELECT {columns} FROM {name}"
        self._select_one = f"{self._select} WHERE {' AND '.join(f'{column} = ?' for column in key)}"
        self._replace = f"INSERT OR REPLACE INTO {name} ({columns}) VALUES ({places})"

    def get(self, db: sqlite3.Connection, *key: object) -> Row | None:
        """Return the row with this key, None if it is missing."""
        found = db.execute(self._select_one, key).fetchone()
        return self._verified(found) if found is not None else None

    def rows(self, db: sqlite3.Connection, condition: str, *parameters: object) -> Iterator[Row]:
        """Yield the rows that a condition of SQL selects; a row that is missing is not noticed."""
        yield from map(self._verified, db.execute(f"{self._select} {condition}", parameters))

    def all_rows(self, db: sqlite3.Connection) -> list[Row]:
        """Return all rows, and none is missing."""
        encode, seed = _encode, self._seed
        rows, total = [], 0
        # Written out, because a scrape reads thousands of rows.
        for found in db.execute(self._select):
            row = found[:-1]
            if crc32(encode(row), seed) != found[-1]:
                raise self._damage()
            rows.append(row)
            total += found[-1]
        self._compare(db, len(rows), total)
        return rows

    # It is long because a scrape does this for each row, where a call would cost as much as the rest.
    def seen_rows(self, db: sqlite3.Connection, seen: SeenRows[Made]) -> list[Made]:
        """Return what all rows are made into, and none is missing; what is made of a row that is as before stays.

        So whoever keeps the list of an earlier read sees by identity what has changed.
        """
        encode, seed, size, kind = _encode, self._seed, self._key_size, seen.kind
        new, end = tuple.__new__, size + len(kind._fields) - 1  # type: ignore[attr-defined] # a named tuple
        keys_before, rows_before, number_before = seen.keys, seen.rows, len(seen.keys)
        keys: list[Row] = []
        rows: list[Row] = []
        made: list[Made] = []
        place = total = 0
        for found in db.execute(f"{self._select} ORDER BY {self._key}"):
            total += found[-1]
            is_known = is_same = place < number_before and rows_before[place] == found
            if not is_same:
                key = found[:size]
                is_known = place < number_before and keys_before[place] == key
                if not is_known:
                    # Rows that have gone.
                    while place < number_before and keys_before[place] < key:
                        place += 1
                    is_known = place < number_before and keys_before[place] == key
                    is_same = is_known and rows_before[place] == found
            if is_same:
                keys.append(keys_before[place])
                rows.append(rows_before[place])
                made.append(seen.made[place])
            else:
                if crc32(encode(found[:-1]), seed) != found[-1]:
                    raise self._damage()
                key = keys_before[place] if is_known else seen.make_key(map(_shared, key))
                keys.append(key)
                rows.append(key + found[size:])
                # As `kind(…)`, which is slower.
                made.append(new(kind, (key, *found[size:end])))
            place += is_known
        self._compare(db, len(rows), total)
        seen.keys, seen.rows, seen.made = keys, rows, made
        return made

    def check_no_row_is_missing(self, db: sqlite3.Connection) -> None:
        """Compare the rows' number and checksums with what is noted, without reading their values."""
        number, total = db.execute(f"SELECT count(*), coalesce(sum(checksum), 0) FROM {self.name}").fetchone()
        self._compare(db, number, total)

    def put(self, db: sqlite3.Connection, *rows: Row) -> None:
        """Insert rows, or replace those with the same keys."""
        self.merge(db, rows, lambda _, new: new)

    def merge(self, db: sqlite3.Connection, rows: Iterable[Row], combine: Callable[[Row, Row], Row]) -> None:
        """Insert rows; where a row has the same key, put `combine(old, new)` in its place."""
        written: dict[Row, Row] = {}
        number = change = 0
        cursor = db.cursor()
        # In the order of the table, so that neighbours are read and written one after the other.
        for row in sorted(rows, key=itemgetter(*range(self._key_size))):
            key = row[: self._key_size]
            found = cursor.execute(self._select_one, key).fetchone()
            if key in written:
                written[key] = combine(written[key], row)
            elif found is None:
                number += 1
                written[key] = row
            else:
                change -= found[-1]
                written[key] = combine(self._verified(found), row)
        checked = [(*row, crc32(_encode(row), self._seed)) for row in written.values()]
        db.executemany(self._replace, checked)
        self._note(db, number, change + sum(row[-1] for row in checked))

    def delete(self, db: sqlite3.Connection, condition: str, *parameters: object) -> None:
        """Remove the rows that a condition of SQL selects."""
        selected = db.execute(f"SELECT count(*), coalesce(sum(checksum), 0) FROM {self.name} {condition}", parameters)
        number, total = selected.fetchone()
        if number:
            db.execute(f"DELETE FROM {self.name} {condition}", parameters)
            self._note(db, -number, -total)

    def _verified(self, found: Row) -> Row:
        row = found[:-1]
        if crc32(_encode(row), self._seed) != found[-1]:
            raise self._damage()
        return row

    def _note(self, db: sqlite3.Connection, number: int, change: int) -> None:
        if number or change:
            db.execute(
                "UPDATE checksums SET number = number + ?, total = total + ? WHERE name = ?",
                (number, change, self.name),
            )

    def _compare(self, db: sqlite3.Connection, number: int, total: int) -> None:
        noted = db.execute("SELECT number, total FROM checksums WHERE name = ?", (self.name,)).fetchone()
        if noted != (number, total):
            raise DamagedLedger(f"rows of the table {self.name} are missing, or there are too many")

    def _damage(self) -> DamagedLedger:
        return DamagedLedger(f"a row of the table {self.name} does not match its checksum")


def _shared(value: object) -> object:
    """Return the same object for the same text: thousands of rows share a few."""
    return sys.intern(value) if isinstance(value, str) else value
