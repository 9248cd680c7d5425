"""The books of an instance: its log events by outcome, and in sentences what does not add up in the totals. Pure.

The rules are those of docs/accounting.md that the totals of one moment can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.outcomes import COUNTED, EVENT_OUTCOMES, MALFORMED, PARTIAL
from kcl_flowlog.web.overview import Books, OutcomeLine

_PAYLOAD_PREFIX = "payload_"


def books_of(at: float, totals: Totals) -> Books:
    """Return the books of totals that were read at a time."""
    events = totals.by_label(counts.EVENTS)
    lines = [OutcomeLine(outcome, events.get(outcome, 0), word.advice) for outcome, word in EVENT_OUTCOMES.items()]
    missing = events.get(COUNTED, 0) - sum(total.flows for total in totals.traffic)
    return Books(at, lines, list(_imbalances(totals, events, missing)), max(0, missing))


def _imbalances(totals: Totals, events: Mapping[str, int], missing: int) -> Iterator[str]:
    if missing < 0:
        yield f"The series have {-missing:,} flows more than were counted."
    reasons, payloads = totals.by_label(counts.MALFORMED), totals.by_label(counts.PAYLOADS)
    of_payloads = sum(number for reason, number in reasons.items() if reason.startswith(_PAYLOAD_PREFIX))
    of_events = sum(reasons.values()) - of_payloads
    if of_events != events.get(MALFORMED, 0):
        yield f"{events.get(MALFORMED, 0):,} events are malformed, but {of_events:,} have a reason."
    # A payload of which a part was read has at least one reason.
    bad_payloads = payloads.get(MALFORMED, 0) + payloads.get(PARTIAL, 0)
    if of_payloads < bad_payloads:
        yield f"{bad_payloads:,} payloads are malformed or partial, but {of_payloads:,} have a reason."
