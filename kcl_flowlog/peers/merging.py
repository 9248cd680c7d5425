"""Merges what several instances know: each instance once, whatever its addresses, and no other application.

An instance is known by the number in its answer. That and all else that an instance says is believed if its form is
valid: a peer can make up numbers, and keep another's answer out. A sketch that is damaged, or that tells of something
else, becomes a reason, as any other answer that can't be used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.kinds import KEPT
from kcl_flowlog.counting.who.sketches import Sketches
from kcl_flowlog.counting.who.steps import STEPS, STEPS_AHEAD
from kcl_flowlog.peers.fleet import Asked
from kcl_flowlog.peers.own_answer import OwnAnswer
from kcl_flowlog.web.who_report import InterfaceNote, MissingPeer, Peers, SubnetLine

_MOST_SKETCH_BYTES = 8 * 1024 * 1024
_MOST_NAMES = (STEPS + STEPS_AHEAD) * sum(KEPT)
"""An instance sends no more."""
_MOST_MERGED_NAMES = 4 * _MOST_NAMES


class Me(NamedTuple):
    """The instance that asks: its own answer, if a name leads to it, is left out. Empty texts fit everything."""

    instance: str = ""
    application: str = ""


@dataclass
class Merged:
    """What the peers know together."""

    answered: int = 0
    missing: list[MissingPeer] = field(default_factory=list)
    lines: list[SubnetLine] = field(default_factory=list)
    sketches: Sketches = field(default_factory=lambda: Sketches(0, []))
    is_known: bool = False
    name: str = ""
    vpc_id: str = ""
    interfaces: dict[str, InterfaceNote] = field(default_factory=dict)

    @property
    def peers(self) -> Peers:
        """How complete it is."""
        return Peers(self.answered, self.missing)


def merge(asked: Asked, subnet_id: str, me: Me) -> Merged:
    """Return the answers as one. Without an application of `me`, the first answer decides which it is."""
    merged = Merged(missing=[*asked.missing])
    seen = {me.instance}
    application = me.application
    lists: list[list[SubnetLine]] = []
    for peer, answer in asked.answers:
        if answer.instance in seen:
            continue
        seen.add(answer.instance)
        application = application or answer.application
        try:
            _add(merged, answer, subnet_id, application)
        except ValueError as error:
            merged.missing.append(MissingPeer(peer, str(error)))
            continue
        merged.answered += 1
        lists.append(answer.subnets)
    merged.lines = merged_lines(lists)
    return merged


def _add(merged: Merged, answer: OwnAnswer, subnet_id: str, application: str) -> None:
    """Add an answer, or raise `ValueError` and add nothing of it."""
    if answer.application != application:
        raise ValueError(f"counts for the application {answer.application!r}, not {application!r}")
    if subnet_id:
        found = sketches.decode(answer.sketch, _MOST_SKETCH_BYTES)
        if found.subnets not in ([], [subnet_id]) or len(found.summary.rows.groups) > _MOST_NAMES:
            raise ValueError("answers with a sketch of something else")
        merged.sketches = sketches.combine(0, [merged.sketches, found], _MOST_MERGED_NAMES, kept=False)
    merged.is_known = merged.is_known or answer.is_known
    merged.name = merged.name or answer.name
    merged.vpc_id = merged.vpc_id or answer.vpc_id
    merged.interfaces = answer.interfaces | merged.interfaces


def merged_lines(lists: Iterable[Iterable[SubnetLine]]) -> list[SubnetLine]:
    """Return the subnets of several instances, those with most distinct sources first.

    Sets of names that several instances have seen can't be added; the largest of them is a lower bound.
    """
    found: dict[str, SubnetLine] = {}
    for line in (line for lines in lists for line in lines):
        before = found.get(line.subnet_id, line)
        found[line.subnet_id] = SubnetLine(
            line.subnet_id,
            before.name or line.name,
            before.vpc_id or line.vpc_id,
            max(before.distinct_sources, line.distinct_sources),
            max(before.distinct_ports, line.distinct_ports),
        )
    return sorted(found.values(), key=lambda line: (-line.distinct_sources, -line.distinct_ports, line.subnet_id))
