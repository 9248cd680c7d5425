"""The page at /: what an instance does now and did in the last hour, on one page that refreshes itself.

Chooses the largest of everything and says how many more there are, so its size has a bound. Works without JavaScript;
all that it shows is escaped.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import parse_qs

from kcl_flowlog.web.exchange import Response
from kcl_flowlog.web.html_page import html
from kcl_flowlog.web.jinja import render
from kcl_flowlog.web.overview import HOUR, Overview, ShardLine, SubnetTraffic

REFRESH_SECONDS = 30
MOST_SUBNETS = 20
MOST_REJECTING = 10
MOST_SHARDS = 12
MOST_SOURCES = 12
_FEWEST_PLACES = 15

T = TypeVar("T")


class Frame(NamedTuple):
    """What is around the overview: where the other pages are, and whether this page refreshes itself."""

    telemetry_path: str
    has_who: bool
    refreshes: bool


class Largest(NamedTuple, Generic[T]):
    """The first of many, and how many more there are."""

    lines: Sequence[T]
    more: int


def does_refresh(query: str) -> bool:
    """Say whether the page refreshes itself, which a reader can stop."""
    return parse_qs(query).get("refresh") != ["off"]


def page(
    overview: Overview, frame: Frame, unhealthy_reasons: Sequence[str], not_ready_reasons: Sequence[str]
) -> Response:
    """Return the page as HTML. An empty list of reasons means healthy, or ready."""
    traffic = overview.traffic
    page = render(
        "overview.html",
        title="Overview",
        overview=overview,
        frame=frame,
        has_who=frame.has_who,
        checks=(("Healthy", unhealthy_reasons), ("Ready", not_ready_reasons)),
        shards=_largest(overview.shards, MOST_SHARDS, _lag),
        lag=max((shard.lag for shard in overview.shards if shard.lag is not None), default=None),
        sources=_largest(overview.sources, MOST_SOURCES, lambda source: -source.taken_at),
        subnets=_largest(traffic.subnets, MOST_SUBNETS, lambda line: line.minutes.all_bytes),
        rejecting=_largest(filter(_rejected, traffic.subnets), MOST_REJECTING, _rejected),
        hour=HOUR,
        refresh_seconds=REFRESH_SECONDS,
        # A young history would be a speck at the edge.
        places=max(_FEWEST_PLACES, traffic.minutes),
    )
    # A header, as a reader of `<meta>` could not stop it.
    refresh = (("Refresh", str(REFRESH_SECONDS)),) if frame.refreshes else ()
    return html(page, *refresh)


def _largest(lines: Iterable[T], most: int, size: Callable[[T], float]) -> Largest[T]:
    several = list(lines)
    return Largest(heapq.nlargest(most, several, key=size), max(0, len(several) - most))


def _lag(shard: ShardLine) -> float:
    """Return the lag, infinite if it is unknown."""
    return math.inf if shard.lag is None else shard.lag


def _rejected(line: SubnetTraffic) -> float:
    return sum(line.minutes.rejected)
