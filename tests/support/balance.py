"""The accounting identity of docs/accounting.md, for the counts of a delta, a report or a metrics page."""

from __future__ import annotations

from collections.abc import Mapping

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.outcomes import (
    COUNTED,
    EVENT_OUTCOMES,
    MALFORMED,
    MALFORMED_REASONS,
    PARTIAL,
    PAYLOAD_OUTCOMES,
)
from tests.support.builders import labelled

PAYLOAD_PREFIX = "payload_"


def imbalances(
    events: Mapping[str, int],
    payloads: Mapping[str, int],
    malformed: Mapping[str, int],
    flows: int,
    events_in: int | None = None,
    payloads_in: int | None = None,
) -> list[str]:
    """Return what does not add up; `events_in` and `payloads_in` are what came in, if known."""
    of_payloads = sum(number for reason, number in malformed.items() if reason.startswith(PAYLOAD_PREFIX))
    of_events = sum(malformed.values()) - of_payloads
    bad_payloads = payloads.get(MALFORMED, 0) + payloads.get(PARTIAL, 0)
    claims = {
        f"{events_in} log events, {dict(events)}": events_in is None or sum(events.values()) == events_in,
        f"{payloads_in} payloads, {dict(payloads)}": payloads_in is None or sum(payloads.values()) == payloads_in,
        f"{flows} flows, {dict(events)}": flows == events.get(COUNTED, 0),
        f"reasons of events {dict(malformed)}, {dict(events)}": of_events == events.get(MALFORMED, 0),
        # A partial payload has at least one reason.
        f"reasons of payloads {dict(malformed)}, {dict(payloads)}": of_payloads >= bad_payloads
        and bool(of_payloads) == bool(bad_payloads),
        f"outcomes {dict(events)}": events.keys() <= EVENT_OUTCOMES.keys(),
        f"payloads {dict(payloads)}": payloads.keys() <= PAYLOAD_OUTCOMES.keys(),
        f"reasons {dict(malformed)}": malformed.keys() <= MALFORMED_REASONS.keys(),
    }
    return [claim for claim, holds in claims.items() if not holds]


def imbalances_of(delta: Delta, events_in: int | None = None, payloads_in: int | None = None) -> list[str]:
    """Return what does not add up in a delta."""
    events, payloads, malformed = (
        labelled(delta, count) for count in (counts.EVENTS, counts.PAYLOADS, counts.MALFORMED)
    )
    flows = sum(cell[0] for cell in delta.traffic.values())
    return imbalances(events, payloads, malformed, flows, events_in, payloads_in)
