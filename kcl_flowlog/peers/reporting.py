"""A report on a subnet, made from its sketch, with the interface beside each address that `find` knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kcl_flowlog.counting.who.answers import Heavy, heaviest
from kcl_flowlog.counting.who.distinct import Distinct
from kcl_flowlog.counting.who.kinds import EGRESS, INGRESS, PAIR, PORT, SOURCE
from kcl_flowlog.counting.who.sketches import Sketches
from kcl_flowlog.counting.who.steps import STEP
from kcl_flowlog.web.who_page import Question
from kcl_flowlog.web.who_report import (
    Accepted,
    HeavyAddress,
    HeavyPair,
    HeavyPort,
    InterfaceNote,
    Rejected,
    WhoReport,
)

Find = Callable[[str], InterfaceNote | None]
"""Finds the interface with an address."""


class Place(NamedTuple):
    """Where a subnet is; empty texts if it is unknown."""

    name: str = ""
    vpc_id: str = ""


def report_of(found: Sketches, question: Question, place: Place, now: float, find: Find) -> WhoReport:
    """Return what a sketch tells of the subnet in question, the only one in it."""
    since = (int(now // STEP) - question.steps + 1) * STEP
    report = WhoReport(question.subnet_id, *place, since, int(now))
    if "reject" in question.actions:
        report.rejected = _rejected(found, question.most, find)
    if "accept" in question.actions:
        report.accepted = Accepted(
            *(_addresses(heaviest(found.summary, kind, question.most), find) for kind in (INGRESS, EGRESS))
        )
    return report


def _rejected(found: Sketches, most: int, find: Find) -> Rejected:
    sources, ports = (found.distinct.get(kind, Distinct()) for kind in (SOURCE, PORT))
    return Rejected(
        sources.number(),
        ports.number(),
        sources.is_partial or ports.is_partial,
        _addresses(heaviest(found.summary, SOURCE, most), find),
        [_port(each) for each in heaviest(found.summary, PORT, most)],
        [_pair(each, find) for each in heaviest(found.summary, PAIR, most)],
    )


def _addresses(some: Sequence[Heavy], find: Find) -> list[HeavyAddress]:
    return [HeavyAddress(*each, find(each.name)) for each in some]


def _port(each: Heavy) -> HeavyPort:
    protocol, _, port = each.name.partition("/")
    # Another instance may name anything as a port.
    return HeavyPort(protocol, int(port) if port.isdecimal() and len(port) < 10 else 0, each.about, each.at_most)


def _pair(each: Heavy, find: Find) -> HeavyPair:
    source, _, destination = each.name.partition(" ")
    return HeavyPair(source, destination, each.about, each.at_most, find(source), find(destination))
