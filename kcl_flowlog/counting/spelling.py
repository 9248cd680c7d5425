"""Names that a user has misspelt: which known name was meant.

AWS adds fields, so a name that is not known may be right. A name is misspelt
only if it is a letter or two away from a known name.
"""

from __future__ import annotations

from collections.abc import Iterable

# Two wrong letters make another word of a short name: `az-id`, `nat-id`.
_SHORT = 8
_DIGITS = str.maketrans("", "", "0123456789")


def meant(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a misspelt name means, or None if it may be a name that is new."""
    allowed = 1 if len(name) < _SHORT else 2
    distance, nearest = min((edits(name, candidate), candidate) for candidate in known)
    # A further tag is a field of the future: instance-tag-3.
    is_numbered = name.translate(_DIGITS) == nearest.translate(_DIGITS)
    return nearest if 0 < distance <= allowed and not is_numbered else None


def edits(name: str, other: str) -> int:
    """Return how many letters have to be changed, added, removed or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(name, 1):
        before, last, row = row, before, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and name[i - 2] == wanted:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
