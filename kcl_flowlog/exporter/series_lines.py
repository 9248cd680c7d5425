"""The sample lines of series, rendered again only where they have changed since the last page.

Series that differ only in labels that are not shown are summed. The lines are kept in blocks, which never change: a
page that is still being sent keeps its blocks, whatever is rendered meanwhile. Knows no metric by name; never raises.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import compress, count
from operator import is_not, itemgetter
from typing import Any, Generic, TypeVar

from prometheus_client.core import Sample

from kcl_flowlog.exporter.families import empty_family
from kcl_flowlog.exporter.rendered_family import RenderedFamily
from kcl_flowlog.exporter.sample_text import labels_writer, number_texts

Total = TypeVar("Total", bound=tuple[Any, ...])
"""The series, a named tuple of labels; then a number for each family; then the series' birth."""

BLOCK = 2000
"""How many series share a block; at 130 bytes a line, about as much as is sent at once."""


class SeriesLines(Generic[Total]):
    """The families of counters with these names, which have the same series.

    `fields` are the labels of a series, `shown` those of them that the page has.
    """

    def __init__(self, names: Sequence[str], fields: Sequence[str], shown: Sequence[str]) -> None:
        self._names = names
        self._shown = tuple(shown)
        self._pick: Callable[[Any], tuple[str, ...]] = itemgetter(*map(list(fields).index, shown))
        self._write_labels = labels_writer(shown)
        self._nothing = ((), *(0 for _ in names), 0)
        self._lock = threading.Lock()
        # What the last page was made of: totals, and the latest birth that showed its value.
        self._totals: Sequence[Total] = ()
        self._latest = 0
        # The line of each total; and for each line its labels, as values and as text.
        self._line_of: list[int] = []
        self._labels: list[tuple[str, ...]] = []
        self._label_texts: list[str] = []
        # For each family: for each line its sum, as a number and as text with `_end`; and the blocks.
        self._sums: list[list[int]] = [[] for _ in names]
        self._texts: list[list[str]] = [[] for _ in names]
        self._blocks: list[list[bytes]] = [[] for _ in names]

    def families(self, totals: Sequence[Total], latest: int) -> list[RenderedFamily]:
        """Return the families of a page. A series that was born after `latest` counts as 0.

        A total that is the same object as on the last page has not changed.
        """
        with self._lock:
            before, latest_before = self._totals, self._latest
            self._totals, self._latest = totals, latest
            if len(totals) != len(before) or not self._replace(before, latest_before):
                self._begin(totals)
            return [self._family(place, name) for place, name in enumerate(self._names)]

    def _begin(self, totals: Sequence[Total]) -> None:
        """Render everything."""
        known = dict(zip(self._labels, self._label_texts, strict=True))
        lines: dict[tuple[str, ...], int] = {}
        self._line_of = [lines.setdefault(self._pick(total[0]), len(lines)) for total in totals]
        self._labels = list(lines)
        self._label_texts = [known.get(labels) or f"{self._write_labels(labels)} " for labels in lines]
        self._sums = [[0] * len(lines) for _ in self._names]
        self._texts = [[f"0.0{_end(name)}"] * len(lines) for name in self._names]
        self._blocks = [[b""] * -(-len(lines) // BLOCK) for _ in self._names]
        self._add(range(len(totals)), [self._nothing] * len(totals), 0)
        self._render(range(len(lines)))

    def _replace(self, before: Sequence[Total], latest_before: int) -> bool:
        """Render what has changed. Returns False if there are other series than before, so that this is not enough."""
        totals = self._totals
        changed = list(compress(count(), map(is_not, totals, before)))
        if any(totals[place][0] != before[place][0] for place in changed):
            return False
        low, high = sorted((latest_before, self._latest))
        if low < high:
            changed += [
                place for place, total in enumerate(totals) if low < total[-1] <= high and total is before[place]
            ]
        self._add(changed, [before[place] for place in changed], latest_before)
        self._render(sorted({self._line_of[place] for place in changed}))
        return True

    def _add(self, places: Iterable[int], before: Sequence[Any], latest_before: int) -> None:
        """Add to the sums by how much these totals differ from what they were."""
        lines = [self._line_of[place] for place in places]
        now = self._counting([self._totals[place] for place in places], self._latest)
        was = self._counting(before, latest_before)
        for family, sums in enumerate(self._sums, 1):
            for line, new, old in zip(lines, now, was, strict=True):
                sums[line] += new[family] - old[family]

    def _counting(self, totals: Iterable[Total], latest: int) -> list[tuple[Any, ...]]:
        """Return the totals, with 0 in place of those that were born later."""
        return [total if total[-1] <= latest else self._nothing for total in totals]

    def _render(self, lines: Sequence[int]) -> None:
        blocks = sorted({line // BLOCK for line in lines})
        for family, name in enumerate(self._names):
            sums, texts, end = self._sums[family], self._texts[family], _end(name)
            for line, text in zip(lines, number_texts(map(sums.__getitem__, lines), end), strict=True):
                texts[line] = text
            for block in blocks:
                self._blocks[family][block] = self._block(name, texts, block * BLOCK)

    def _block(self, name: str, texts: list[str], begin: int) -> bytes:
        labels, numbers = self._label_texts[begin : begin + BLOCK], texts[begin : begin + BLOCK]
        pieces = [""] * (2 * len(labels))
        pieces[0::2], pieces[1::2] = labels, numbers
        # The name before the first line, instead of after the last.
        return f"{name}_total{''.join(pieces)}".encode()[: -len(name) - len("_total")]

    def _family(self, place: int, name: str) -> RenderedFamily:
        labels, sums = self._labels, tuple(self._sums[place])

        def samples() -> list[Sample]:
            return [
                Sample(f"{name}_total", dict(zip(self._shown, values, strict=True)), number)
                for values, number in zip(labels, sums, strict=True)
            ]

        return RenderedFamily(empty_family(name), tuple(self._blocks[place]), samples)


def _end(name: str) -> str:
    """Return what follows a number: the next line's beginning, so that a line is joined of two pieces, not of five."""
    return f"\n{name}_total"
