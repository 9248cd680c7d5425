"""The comparison at the end of a run: what was put against what the ledgers and Prometheus have counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, combinations

from kcl_flowlog.demo.tally import Sums, Tally, add_up
from tests.fleet.fleet import Fleet, difference
from tests.fleet.report import Report
from tests.support.balance import imbalances

# Seconds; longer than the checkpoint interval. A record that was counted twice would show by then.
SECOND_LOOK = 10.0


def is_exact(fleet: Fleet, report: Report) -> bool:
    """Tell whether every count equals the truth, or exceeds it by exactly some of the undecided commits."""
    fleet.producer.stop()
    truth = fleet.truth()
    report.say(f"put: {_all(truth)}, events {dict(truth.events)}")
    seen = difference(truth, add_up(fleet.unseen))
    fleet.wait(
        lambda: fleet.totals() == truth and fleet.scraper.seen().traffic == seen.traffic and not fleet.missing_denials()
    )
    fleet.pause(SECOND_LOOK)
    totals, increases = fleet.totals(), fleet.scraper.seen()
    undecided = fleet.undecided_sums()
    report.say(f"undecided commits: {[tuple(sums) for sums in undecided]}")
    if fleet.doubtful:
        report.say(f"copies that may count again: {[tuple(sums) for sums in fleet.doubtful]}")
    if fleet.unseen:
        report.say(f"lost with a ledger before a scrape: {_all(add_up(fleet.unseen))}")
    ledgers_are_equal = truth == totals
    increases_are_equal = seen.traffic == increases.traffic
    possible = [*undecided, *fleet.doubtful]
    outcomes = [
        _explain("ledgers", ledgers_are_equal, _excess(truth, totals), possible, report),
        _explain("increase()", increases_are_equal, _excess(seen, increases), possible, report),
        _are_denials_written(fleet, report),
    ]
    return all(outcomes) and _is_balanced(fleet, truth, totals, bool(possible), report)


def _explain(name: str, is_equal: bool, excess: Sums, undecided: Sequence[Sums], report: Report) -> bool:
    """Report how a count compares with the truth; tell whether that is as promised."""
    if is_equal:
        report.say(f"{name}: equal to the last digit")
        return True
    subsets = chain.from_iterable(combinations(undecided, number) for number in range(1, 1 + len(undecided)))
    is_explained = any(excess == _sum(subset) for subset in subsets)
    report.say(
        f"{name}: more by {tuple(excess)}, {'exactly undecided commits or copies' if is_explained else 'UNEXPLAINED'}"
    )
    return is_explained


def _are_denials_written(fleet: Fleet, report: Report) -> bool:
    """Tell whether each rejected flow was written at least once."""
    missing = fleet.missing_denials()
    report.say(f"denials: {f'{len(missing)} NOT WRITTEN, such as {min(missing)}' if missing else 'all written'}")
    return not missing


def _is_balanced(fleet: Fleet, truth: Tally, totals: Tally, has_undecided: bool, report: Report) -> bool:
    """Tell whether the books balance; see docs/accounting.md."""
    events_in = None if has_undecided else sum(truth.events.values())
    wrong = imbalances(totals.events, totals.payloads, fleet.malformed(), _all(totals).flows, events_in)
    for claim in wrong:
        report.say(f"the books don't balance: {claim}")
    return not wrong


def _excess(truth: Tally, counted: Tally) -> Sums:
    """Return by how much `counted` exceeds the truth, in all."""
    return Sums(*(more - less for less, more in zip(_all(truth), _all(counted), strict=True)))


def _all(truth: Tally) -> Sums:
    return truth.sum_where(lambda key: True)


def _sum(several: Iterable[Sums]) -> Sums:
    result = Sums()
    for sums in several:
        result = result.plus(sums)
    return result
