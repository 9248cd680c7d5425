"""Tables as plain text, for a terminal and for a log."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def plain(header: Sequence[str], lines: Iterable[Sequence[str]], left: Collection[str]) -> list[str]:
    """Return a table line by line: the columns that `left` names to the left, the others to the right."""
    table = [list(header), *(list(line) for line in lines)]
    widths = [max(len(line[column]) for line in table) for column in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if header[column] in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]
