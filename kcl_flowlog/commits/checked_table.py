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
from itertools import repeat
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar
from zlib import crc32

import msgspec

from kcl_flowlog.commits.damage import DamagedLedger

Row = tuple[Any, ...]
"""The values of a row, in the order of the table's columns, without the checksum."""

Content = TypeVar("Content")
Made = TypeVar("Made", bound=tuple[Any, ...])

# The same bytes for the same values with every Python, and other bytes for a value of another type.
_encode = msgspec.msgpack.Encoder().encode
_decode_array = msgspec.json.Decoder(list[Any]).decode
# Newer versions of SQLite take some bytes for JSON: text of any kind, integers of any length, lists of any depth.
_UNREADABLE = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


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


class _Keys(NamedTuple):
    """Keys of rows, and of each row the checksum up to the end of its key."""

    keys: list[Row]
    checksums: list[int]


class _Group(NamedTuple):
    """The rows with one value of the first column: as a read has found them, and what they were made into."""

    found: Row
    keys: _Keys
    made: list[Any]
    checksums: int


class SeenRows(Generic[Made]):
    """What the last read has made of a table's rows, for the next read to use again.

    `make_key` makes the key of a row, a tuple of at least two columns. `kind` is a named tuple of the key
    and the first values.
    """

    def __init__(self, make_key: Callable[[Iterable[Any]], Row], kind: type[Made]) -> None:
        self.make_key = make_key
        self.kind = kind
        self.groups: dict[object, _Group] = {}


class CheckedTable:
    """A table with the columns `key`, `values` and `checksum`; `key` is its primary key."""

    def __init__(self, name: str, key: tuple[str, ...], values: tuple[str, ...]) -> None:
        self.name = name
        self._key_size = len(key)
        self._seed = crc32(name.encode())
        self._begin = crc32(_header(len(key) + len(values)), self._seed)
        self._without_key_header, self._without_header = map(_header_stripper, (len(key), len(values)))
        columns = ", ".join((*key, *values, "checksum"))
        places = ", ".join("?" * (len(key) + len(values) + 1))
        self._select = f"SELECT {columns} FROM {name}"
        # The rows with the same first column as one array for each other column: fewer calls than one for each value.
        arrays = ", ".join(f"CAST(json_group_array({column}) AS BLOB)" for column in (*key[1:], *values, "checksum"))
        self._select_groups = f"SELECT {key[0]}, {arrays} FROM {name} GROUP BY {key[0]} ORDER BY {key[0]}"
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
        # Written out, because a table may have thousands of rows.
        for found in db.execute(self._select):
            row = found[:-1]
            if crc32(encode(row), seed) != found[-1]:
                raise self._damage()
            rows.append(row)
            total += found[-1]
        self._compare(db, len(rows), total)
        return rows

    def seen_rows(self, db: sqlite3.Connection, seen: SeenRows[Made]) -> list[Made]:
        """Return what all rows are made into, and none is missing; what is made of a row that is as before stays.

        So whoever keeps the list of an earlier read sees by identity what has changed.
        """
        groups: dict[object, _Group] = {}
        made: list[Made] = []
        total = 0
        for found in db.execute(self._select_groups):
            group = seen.groups.get(found[0])
            if group is None or group.found != found:
                group = self._group(found, group, seen)
            groups[found[0]] = group
            made += group.made
            total += group.checksums
        self._compare(db, len(made), total)
        seen.groups = groups
        return made

    def _group(self, found: Row, before: _Group | None, seen: SeenRows[Made]) -> _Group:
        """Verify all rows of a group, and make those that are not as before."""
        size, made_of = self._key_size, len(seen.kind._fields) - 1  # type: ignore[attr-defined] # a named tuple
        known = before if before is not None and before.found[:size] == found[:size] else None
        try:
            *columns, checksums = map(_decode_array, found[size:])
            keys = known.keys if known is not None else self._keys(found, len(checksums), seen.make_key)
            # Calls of C for columns, because a scrape does this for thousands of rows.
            values = map(self._without_header, map(_encode, zip(*columns, strict=True)))
            actual = list(map(crc32, values, keys.checksums))
        except _UNREADABLE as error:
            raise self._damage() from error
        if actual != checksums:
            raise self._damage()
        new = map(tuple.__new__, repeat(seen.kind), zip(keys.keys, *columns[:made_of], strict=True))
        old = known.made if known is not None else map(_by_key(before).get, keys.keys)
        made = [was if was == now else now for was, now in zip(old, new, strict=True)]
        return _Group(found, keys, made, sum(checksums))

    def _keys(self, found: Row, number: int, make_key: Callable[[Iterable[Any]], Row]) -> _Keys:
        columns = ([_shared(value) for value in _decode_array(text)] for text in found[1 : self._key_size])
        keys = list(map(make_key, zip([_shared(found[0])] * number, *columns, strict=True)))
        checksums = [crc32(self._without_key_header(_encode(key)), self._begin) for key in keys]
        return _Keys(keys, checksums)

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


def _header(size: int) -> bytes:
    """Return how the encoding of this many values begins; the values follow, one after the other."""
    return _encode((0,) * size)[:-size]


def _header_stripper(size: int) -> Callable[[bytes], bytes]:
    return itemgetter(slice(len(_header(size)), None))


def _shared(value: object) -> object:
    """Return the same object for the same text: thousands of rows share a few."""
    return sys.intern(value) if isinstance(value, str) else value


def _by_key(group: _Group | None) -> dict[Row, Any]:
    return {made[0]: made for made in group.made} if group is not None else {}
