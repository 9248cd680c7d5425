"""The story of `demo --story`, as a table of acts: when, what it shows, where to look, which alerts it provokes.

Data, and the clock of the story. A second of the story stands for a minute of the alert rules, whose windows are
minutes and hours. It must not know how the traffic of an act is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class Provoked(NamedTuple):
    """An alert that an act provokes, and how many seconds after the beginning of the act it fires at the latest."""

    alert: str
    severity: str
    within: int


class Act(NamedTuple):
    """An act from second `start` to second `end`: `rate` flows per second at the subnet of that name."""

    start: int
    end: int
    title: str
    subnet: str
    rate: int
    shows: str
    look: str
    alerts: tuple[Provoked, ...] = ()

    def flows_until(self, second: float) -> int:
        """Return how many of its flows there are from its beginning until `second`."""
        return int(self.rate * max(0.0, min(second, self.end) - self.start))


QUIET = Act(
    *(0, 60, "Quiet traffic", "", 0),
    shows="Conversations, of which a few are rejected, and reads from S3 through a gateway endpoint.",
    look="/who has a few rejected sources of each subnet.",
)
BURST = Act(
    *(60, 120, "A burst of rejects", "shop-public-a", 130),
    shows="An address on the internet is rejected 130 times a second.",
    look="the chart of shop-public-a; /who names the address.",
    alerts=(Provoked("FlowlogRejectedFlows", "info", 30), Provoked("FlowlogRejectedFlows", "warning", 40)),
)
SCAN = Act(
    *(130, 160, "A port scan", "lab-private-a", 40),
    shows="An address tries ten more ports each second, on every interface.",
    look="flowlog_rejected_distinct_ports of lab-private-a; /who names the ports.",
    alerts=(
        Provoked("FlowlogPortScan", "warning", 40),
        Provoked("FlowlogPortNewlyRejected", "info", 30),
        Provoked("FlowlogRejectedFlows", "info", 40),
    ),
)
SPRAY = Act(
    *(180, 230, "A spray from many sources", "shop-private-b", 90),
    shows="Each second 90 other addresses try port 3389.",
    look="flowlog_rejected_distinct_sources of shop-private-b, in /who as well.",
    alerts=(
        Provoked("FlowlogManySources", "warning", 70),
        Provoked("FlowlogPortNewlyRejected", "info", 30),
        Provoked("FlowlogPortNewlyRejected", "warning", 30),
        Provoked("FlowlogRejectedFlows", "info", 40),
        Provoked("FlowlogRejectedFlows", "warning", 50),
    ),
)
NAT = Act(
    *(250, 310, "S3 through NAT", "shop-public-a", 3),
    shows="The route to the gateway endpoint is gone: shop-private-a reads from S3 through NAT.",
    look='flowlog_bytes_total{interface_type="nat_gateway"} of shop-public-a, which has the gateway.',
    alerts=(Provoked("FlowlogNatGatewayBytes", "warning", 65),),
)
STOPPED = Act(
    *(330, 370, "A stopped interface", "lab-public-a", 0),
    shows="An interface of lab-public-a has no traffic any more, and its flow log says NODATA.",
    look="the flows of lab-public-a fall. No alert: machines may stop.",
)

STORY = (QUIET, BURST, SCAN, SPRAY, NAT, STOPPED)
LENGTH = STORY[-1].end
"""When the story ends, in seconds."""
FIRST_EVENT = QUIET.end
"""The second from which on something happens."""


def act_at(second: float) -> Act | None:
    """Return the act of a second, or the one before it; None before the story."""
    return next((act for act in reversed(STORY) if act.start <= second), None)


def titles_from(second: float) -> str:
    """Return the titles of the acts that have not begun before a second, in their order; empty if all have."""
    return "; ".join(act.title for act in STORY if act.start >= second)


def description(act: Act) -> list[str]:
    """Return what an act shows, where to look, and its alerts, as lines."""
    severities: dict[str, list[str]] = {}
    for provoked in act.alerts:
        severities.setdefault(provoked.alert, []).append(provoked.severity)
    alerts = ", ".join(f"{alert} ({', '.join(several)})" for alert, several in severities.items())
    return [act.shows, f"Look: {act.look}", *([f"Alerts: {alerts}"] if alerts else [])]


class StoryClock:
    """The time of the story, which begins when somebody says so."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_at: float | None = None

    def begin(self) -> None:
        """Begin the story, unless it has begun."""
        if self._began_at is None:
            self._began_at = self._clock()

    @property
    def second(self) -> float:
        """The second of the story; negative before it begins."""
        return -1.0 if self._began_at is None else self._clock() - self._began_at

    @property
    def is_over(self) -> bool:
        """Whether the last act has ended."""
        return self.second >= LENGTH
