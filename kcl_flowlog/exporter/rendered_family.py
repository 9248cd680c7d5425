"""Metric families whose sample lines are rendered already; prometheus_client can use them like any other.

The lines of counters and gauges are the same in both formats of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from prometheus_client import generate_latest
from prometheus_client.core import Metric, Sample

Source = TypeVar("Source")


class Families(NamedTuple):
    """Some families, in the place of a registry."""

    families: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        """Return the families."""
        return self.families


class RenderedFamily(Metric):
    """A family with its lines, in `blocks`. The samples are only made if somebody wants them one by one."""

    def __init__(self, header: Metric, blocks: Sequence[bytes], make_samples: Callable[[], Sequence[Sample]]) -> None:
        super().__init__(header.name, header.documentation, header.type)
        self.header = header
        self.blocks = blocks
        self._make_samples = make_samples

    @property
    def samples(self) -> list[Sample]:
        """The samples, made anew each time."""
        return list(self._make_samples())

    @samples.setter
    def samples(self, _: list[Sample]) -> None:
        """Ignore the empty list of the base class."""


class KeptFamilies(Generic[Source]):
    """Renders families of gauges once for each source, such as an inventory. Not for counters."""

    def __init__(self, make: Callable[[Source], Iterable[Metric]]) -> None:
        self._make = make
        self._kept: tuple[Source, Sequence[RenderedFamily]] | None = None

    def of(self, source: Source) -> Sequence[RenderedFamily]:
        """Return the families of a source, the same as before if the source is the same object."""
        kept = self._kept
        if kept is None or kept[0] is not source:
            kept = self._kept = source, [_rendered(family) for family in self._make(source)]
        return kept[1]


def _rendered(family: Metric) -> RenderedFamily:
    header = Metric(family.name, family.documentation, family.type)
    # Not by lines, as a hostile name may look like several.
    lines = _text(family).removeprefix(_text(header))
    return RenderedFamily(header, (lines,), lambda: family.samples)


def _text(family: Metric) -> bytes:
    return generate_latest(Families([family]))
