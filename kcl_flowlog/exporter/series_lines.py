"""The sample lines of series, rendered again only where they have changed since the last page.

Series that differ only in labels that are not shown are summed. The lines are kept in blocks, which never change: a
page that is still being sent keeps its blocks, whatever is rendered meanwhile. Knows no metric by name; never raises.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import compress, count
from operator import itemgetter, ne
from typing import Any, Generic, TypeVar

from prometheus_client.core import Sample

from kcl_flowlog.exporter.families import empty_family
from kcl_flowlog.exporter.rendered_family import RenderedFamily
from kcl_flowlog.exporter.sample_text import labels_writer, number_texts

Total = TypeVar("Total", bound=tuple[Any, ...])
"""The series, a named tuple of labels; then a number for each family; then the series' birth."""

BLOCK = 2000
"""How many series share a block; at 130 bytes a line, about as much as is sent at once."""

_SERIES = itemgetter(0)


class SeriesLines(Generic[Total]):
    """The families of counters with these names, which have the same series.

    `fields` are the labels of a series, `shown` those of them that the page has.
    """

    def __init__(self, names: Sequence[str], fields: Sequence[str], shown: Sequence[str]) -> None:
        self._names = names
        self._shown = tuple(shown)
        self._pick: Callable[[Any], tuple[str, ...]] = itemgetter(*map(list(fields).index, shown))
        self._write_labels = labels_writer(shown)
        self._nothing = (*(0 for _ in range(len(names) + 1)), 0)
        self._lock = threading.Lock()
        # What the last page was made of: totals, and the latest birth that showed its value.
        self._made_of: tuple[Sequence[Total], int] = ((), 0)
        # The line of each series; and for each line its labels, as values and as text. Lines are numbered in the order
        # of their first series.
        self._series: list[Any] = []
        self._line_of: list[int] = []
        self._labels: list[tuple[str, ...]] = []
        self._label_texts: list[str] = []
        # For each family: for each line its sum, -1 if it was never rendered; for each block its text, in pieces and as
        # it is sent.
        self._sums: list[Sequence[int]] = [() for _ in names]
        self._pieces: list[list[list[str]]] = [[] for _ in names]
        self._blocks: list[list[bytes]] = [[] for _ in names]

    def families(self, totals: Sequence[Total], latest: int) -> list[RenderedFamily]:
        """Return the families of a page. A series that was born after `latest` counts as 0.

        It is quicker if totals that have not changed are the same objects as on the last page.
        """
        with self._lock:
            if (totals, latest) != self._made_of:
                series = list(map(_SERIES, totals))
                if series != self._series:
                    self._begin(series)
                shown = [total if total[-1] <= latest else self._nothing for total in totals]
                for place in range(len(self._names)):
                    self._render(place, self._summed(list(map(itemgetter(place + 1), shown))))
                self._made_of = totals, latest
            return [self._family(place, name) for place, name in enumerate(self._names)]

    def _begin(self, series: list[Any]) -> None:
        """Begin with other series; no line is rendered yet."""
        known = dict(zip(self._labels, self._label_texts, strict=True))
        lines: dict[tuple[str, ...], int] = {}
        self._series = series
        self._line_of = [lines.setdefault(self._pick(labels), len(lines)) for labels in series]
        self._labels = list(lines)
        self._label_texts = [known.get(labels) or f"{self._write_labels(labels)} " for labels in lines]
        self._sums = [[-1] * len(lines) for _ in self._names]
        self._blocks = [[b""] * -(-len(lines) // BLOCK) for _ in self._names]
        label_blocks = [self._label_texts[begin : begin + BLOCK] for begin in range(0, len(lines), BLOCK)]
        self._pieces = [[_pieces(name, labels) for labels in label_blocks] for name in self._names]

    def _summed(self, numbers: list[int]) -> list[int]:
        """Return the sum of each line, of the numbers of its series."""
        if len(self._labels) == len(numbers):
            return numbers
        sums = [0] * len(self._labels)
        for line, number in zip(self._line_of, numbers, strict=True):
            sums[line] += number
        return sums

    def _render(self, place: int, sums: Sequence[int]) -> None:
        """Render the lines of a family that have changed."""
        name, before = _line_begin(self._names[place]), self._sums[place]
        for block, pieces in enumerate(self._pieces[place]):
            part = slice(block * BLOCK, (block + 1) * BLOCK)
            is_changed = list(map(ne, sums[part], before[part]))
            # Followed by the beginning of the next line, so that a line is joined of two pieces, not of five.
            texts = number_texts(compress(sums[part], is_changed), f"\n{name}")
            if texts:
                for piece, text in zip(compress(count(2, 2), is_changed), texts, strict=True):
                    pieces[piece] = text
                pieces[-1] = pieces[-1].removesuffix(name)
                self._blocks[place][block] = "".join(pieces).encode()
        self._sums[place] = sums

    def _family(self, place: int, name: str) -> RenderedFamily:
        labels, sums = self._labels, self._sums[place]

        def samples() -> list[Sample]:
            return [
                Sample(f"{name}_total", dict(zip(self._shown, values, strict=True)), number)
                for values, number in zip(labels, sums, strict=True)
            ]

        return RenderedFamily(empty_family(name), tuple(self._blocks[place]), samples)


def _line_begin(name: str) -> str:
    return f"{name}_total"


def _pieces(name: str, labels: Sequence[str]) -> list[str]:
    """Return the pieces of a block: the beginning of its first line, and for each line labels and an empty number."""
    pieces = [_line_begin(name), *[""] * (2 * len(labels))]
    pieces[1::2] = labels
    return pieces
