"""Tables as plain text, for terminals and logs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from kcl_flowlog.escaping import escape_unprintable


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]], left_aligned: Collection[str]) -> list[str]:
    """Return a table as lines. Columns are right-aligned, except those whose headings are in `left_aligned`."""
    table = [header, *([escape_unprintable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if heading in left_aligned else cell.rjust(width)
            for heading, cell, width in zip(header, row, widths, strict=True)
        ).rstrip()
        for row in table
    ]
