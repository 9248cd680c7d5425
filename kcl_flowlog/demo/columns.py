"""Text tables that fit the width of a terminal.

A table that is too wide loses whole columns, the least important first, and
never a part of a name or a figure. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kcl_flowlog.escaping import escape_unprintable

_GAP = 2


class Column(NamedTuple):
    """A column of a table.

    A column with a higher `rank` is dropped earlier; rank 0 always stays. `width`
    is reserved, so that a table that is drawn again and again keeps its layout.
    """

    title: str
    rank: int = 0
    width: int = 0
    is_left_aligned: bool = False


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Return a table as lines, the titles first, at most `width` characters wide if ranks allow it."""
    rows = [[escape_unprintable(cell) for cell in row] for row in rows]
    widths = [
        max(column.width, len(column.title), *(len(row[index]) for row in rows)) for index, column in enumerate(columns)
    ]
    chosen = _fitting(columns, widths, width)
    return [
        (" " * _GAP)
        .join(
            row[index].ljust(widths[index]) if columns[index].is_left_aligned else row[index].rjust(widths[index])
            for index in chosen
        )
        .rstrip()
        for row in [[column.title for column in columns], *rows]
    ]


def _fitting(columns: Sequence[Column], widths: Sequence[int], width: int | None) -> list[int]:
    """Return the indices of the columns that fit into `width`."""
    chosen = list(range(len(columns)))
    while width is not None and sum(widths[index] for index in chosen) + _GAP * (len(chosen) - 1) > width:
        last = max(chosen, key=lambda index: columns[index].rank)
        if columns[last].rank == 0:
            break
        chosen.remove(last)
    return chosen
