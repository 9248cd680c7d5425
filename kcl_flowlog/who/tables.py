"""Answers as plain text for a terminal of 80 columns. Nothing of what they hold is obeyed by the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.text_table import format_table
from kcl_flowlog.web.jinja import short
from kcl_flowlog.web.who_report import (
    Accepted,
    HeavyAddress,
    HeavyPair,
    HeavyPort,
    InterfaceNote,
    Peers,
    Rejected,
    SubnetList,
    WhoReport,
)

WIDTH = 80
_LONGEST_NAME = 42
_LONGEST_NUMBER = 6
_GAP = 2

Row = tuple[str, str, str, str]
"""About, at most, name, note."""


def list_lines(answer: SubnetList) -> list[str]:
    """Return the list of subnets as lines."""
    lines = [*_peers_lines(answer.peers)]
    if answer.peers is not None and answer.peers.answered > 1:
        lines.append("Each number is that of the instance with the most.")
    lines.append("")
    if not answer.subnets:
        return [*lines, "No subnet has rejected flows of the last hour."]
    rows = [
        (
            short(each.distinct_sources),
            short(each.distinct_ports),
            each.subnet_id,
            ", ".join(text for text in (each.name, each.vpc_id) if text),
        )
        for each in answer.subnets
    ]
    return [*lines, *_table(("SOURCES", "PORTS", "SUBNET", "NAME"), rows)]


def report_lines(report: WhoReport, window: str) -> list[str]:
    """Return the report on a subnet as lines."""
    name, vpc = (f" ({report.name})" if report.name else ""), (f" in {report.vpc_id}" if report.vpc_id else "")
    lines = [*_peers_lines(report.peers), *_wrapped(f"Subnet {report.subnet_id}{name}{vpc}, in the last {window}.")]
    if report.rejected is not None:
        lines += _rejected(report.rejected)
    if report.accepted is not None:
        lines += _accepted(report.accepted)
    return lines


def _peers_lines(peers: Peers | None) -> Iterator[str]:
    """Yield who has counted; a partial answer begins with that."""
    if peers is None:
        return
    counted = f"counted by {peers.answered} instance{'s' if peers.answered != 1 else ''}"
    yield f"PARTIAL: {counted}; missing:" if peers.missing else f"{counted.capitalize()}."
    for each in peers.missing:
        yield from _wrapped(str(each), "- ")


def _rejected(rejected: Rejected) -> Iterator[str]:
    more = ", or more" if rejected.distinct_is_partial else ""
    yield ""
    yield from _wrapped(
        f"Rejected: about {rejected.distinct_sources:,} distinct sources"
        f" and {rejected.distinct_ports:,} distinct destination ports{more}."
    )
    for heading, note, rows in (
        ("SOURCE", "INTERFACE", [_address(each) for each in rejected.sources]),
        ("DESTINATION PORT", "", [_port(each) for each in rejected.ports]),
        ("SOURCE AND DESTINATION", "INTERFACE", [row for each in rejected.pairs for row in _pair(each)]),
    ):
        yield ""
        yield from _table(("FLOWS", "AT MOST", heading, note), rows)


def _accepted(accepted: Accepted) -> Iterator[str]:
    for heading, some in (("ACCEPTED FROM", accepted.ingress), ("ACCEPTED TO", accepted.egress)):
        yield ""
        yield from _table(("BYTES", "AT MOST", heading, "INTERFACE"), [_address(each) for each in some])


def _address(each: HeavyAddress) -> Row:
    return short(each.about), short(each.at_most), each.address, _note(each.interface)


def _port(each: HeavyPort) -> Row:
    return short(each.about), short(each.at_most), f"{each.protocol}/{each.port}", ""


def _pair(each: HeavyPair) -> tuple[Row, Row]:
    """Return two rows, as two IPv6 addresses fill a line."""
    return (
        (short(each.about), short(each.at_most), each.source, _note(each.source_interface)),
        ("", "", f"> {each.destination}", _note(each.destination_interface)),
    )


def _note(interface: InterfaceNote | None) -> str:
    if interface is None:
        return ""
    parts = (interface.name, interface.description, interface.instance_id, interface.interface_id)
    return ", ".join(text for text in parts if text)


def _table(header: Row, rows: Sequence[Row]) -> list[str]:
    """Return rows as lines of at most `WIDTH` columns: what is beside a name gets the room that is left."""
    if not rows:
        rows = [("", "", "none", "")]
    names = [_clipped(name, _LONGEST_NAME) for _, _, name, _ in rows]
    taken = sum(max(len(heading), _LONGEST_NUMBER) + _GAP for heading in header[:2])
    left = WIDTH - taken - max(map(len, [header[2], *names])) - _GAP
    cut = [(*row[:2], name, _clipped(row[3], left)) for row, name in zip(rows, names, strict=True)]
    return format_table(header, cut, header[2:])


def _clipped(text: str, width: int) -> str:
    text = escape_unprintable(text)
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        escape_unprintable(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_on_hyphens=False,
    )
