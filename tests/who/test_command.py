"""The command `kcl-flowlog who`: what it shows, and its exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import pytest

from kcl_flowlog import __main__
from kcl_flowlog.peers import fleet
from kcl_flowlog.web.who_report import (
    Accepted,
    HeavyAddress,
    HeavyPair,
    InterfaceNote,
    MissingPeer,
    Peers,
    Rejected,
    SubnetLine,
    SubnetList,
    WhoReport,
)
from kcl_flowlog.who import command
from kcl_flowlog.who.tables import list_lines, report_lines
from tests.support.peers import SUBNET, Saying, answering, response

A, B = "http://a:1", "http://b:1"
OWN = {"10.0.1.10": InterfaceNote("eni-0a", SUBNET, "web server", "interface", "i-0a", ("web",), "shop")}
BOTH = {"a": answering("A", interfaces=OWN), "b": answering("B")}
HALF: dict[str, bytes | OSError] = {"a": BOTH["a"], "b": ConnectionRefusedError(111, "Connection refused")}
REFUSED = "http://b:1 did not answer (Connection refused)."


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Terminal:
    """Runs the command; instances say what is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.connect = Saying({})
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.setattr(command, "Fleet", partial(fleet.Fleet, connect=self.connect))

    def run(self, said: Mapping[str, bytes | OSError], *arguments: str) -> Outcome:
        self.connect.said = said
        self._monkeypatch.setattr(sys, "argv", ["kcl-flowlog", "who", *arguments])
        with pytest.raises(SystemExit) as ended:
            __main__.main()
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, *self._capsys.readouterr())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    made = Terminal(monkeypatch, capsys)
    yield made
    made.connect.close()


def test_it_shows_what_instances_know_together(terminal: Terminal) -> None:
    outcome = terminal.run(BOTH, A, B, "--subnet", SUBNET, "--action", "reject", "--window", "15m")

    assert (0, "") == (outcome.code, outcome.err)
    assert (
        """\
Counted by 2 instances.
Subnet subnet-a (web) in vpc-1, in the last 15m.

Rejected: about 1 distinct sources and 1 distinct destination ports.

FLOWS  AT MOST  SOURCE        INTERFACE
    2        2  198.51.100.7

FLOWS  AT MOST  DESTINATION PORT
    2        2  tcp/22

FLOWS  AT MOST  SOURCE AND DESTINATION  INTERFACE
    2        2  198.51.100.7
                > 10.0.1.10             shop, web server, i-0a, eni-0a
"""
        == outcome.out
    )


def test_without_a_subnet_it_lists_them(terminal: Terminal) -> None:
    outcome = terminal.run(BOTH, A, B)

    assert (0, "") == (outcome.code, outcome.err)
    assert (
        """\
Counted by 2 instances.
Each number is that of the instance with the most.

SOURCES  PORTS  SUBNET    NAME
      1      1  subnet-a  web, vpc-1
"""
        == outcome.out
    )


@pytest.mark.parametrize("arguments", [(), ("--subnet", SUBNET)])
def test_a_partial_answer_begins_with_that_and_is_exit_code_3(terminal: Terminal, arguments: Sequence[str]) -> None:
    outcome = terminal.run(HALF, A, B, *arguments)

    assert (3, "") == (outcome.code, outcome.err)
    assert outcome.out.startswith(f"PARTIAL: counted by 1 instance; missing:\n- {REFUSED}\n")


def test_as_json_it_is_what_the_page_says(terminal: Terminal) -> None:
    outcome = terminal.run(HALF, A, B, "--subnet", SUBNET, "--output", "json")

    found = json.loads(outcome.out)
    assert 3 == outcome.code
    assert {"answered": 1, "missing": [{"peer": B, "reason": "did not answer (Connection refused)"}]} == found["peers"]
    assert "i-0a" == found["rejected"]["pairs"][0]["destination_interface"]["instance_id"]
    assert [SUBNET] == [
        line["subnet_id"] for line in json.loads(terminal.run(BOTH, A, "--output", "json").out)["subnets"]
    ]


@pytest.mark.parametrize(
    ("said", "arguments", "code", "sentence"),
    [
        ({"b": HALF["b"]}, (B,), 1, f"No instance has answered. {REFUSED}"),
        (
            {"a": answering("A", is_known=False)},
            (A, "--subnet", "subnet-x"),
            1,
            "No instance has answered. http://a:1 answers with a sketch of something else.",
        ),
        (
            {"a": answering("A", is_known=False, sketch=None)},
            (A, "--subnet", SUBNET),
            1,
            "Nothing is known of the subnet 'subnet-a'; without --subnet, all are listed.",
        ),
        ({"a": response(b"", "401 No")}, (A,), 1, f"No instance has answered. {A} asks for a user; name one with --pe"),
        ({}, (), 2, "No instance to ask: name its URL, such as http://localhost:10514, or set --peers."),
        ({}, ("a:10514",), 2, "URL: 'a:10514' is not a URL such as http://host:10514 or dns+http://host:10514."),
        ({}, (A, "--window", "2h"), 2, "The window is a time from 5m to 1h, such as 15m."),
        ({}, (A, "--action", "drop"), 2, "The action is reject or accept; leave it out for both."),
        ({}, (A, "--limit", "1000"), 2, "The limit is a number from 1 to 100."),
        ({}, (A, "--output", "xml"), 2, "Invalid value for '--output': 'xml' is not one of 'table', 'json'."),
        ({}, (A, "--peers-timeout", "0"), 2, "--peers-timeout: '0' is less than the minimum of 100ms."),
        ({}, ("https://a", "--peers-ca", "/missing"), 2, "--peers-ca /missing: No such file or directory; check it."),
        ({}, ("https://a", "--peers-client-cert", "/missing"), 2, "--peers-client-cert /missing: No such file"),
        ({}, ("https://a", "--peers-client-key", "/missing"), 2, "--peers-client-key has no use without"),
        ({}, (A, "--peers-credentials", "/missing"), 2, "--peers-credentials /missing can't be read: No such file"),
    ],
)
def test_without_an_answer_it_is_a_sentence(
    terminal: Terminal, said: Mapping[str, bytes | OSError], arguments: Sequence[str], code: int, sentence: str
) -> None:
    """Exit code 1 if nobody knows, 2 for a mistake."""
    outcome = terminal.run(said, *arguments)

    assert (code, "") == (outcome.code, outcome.out)
    assert outcome.err.startswith(f"Error: {sentence}")
    assert 1 == outcome.err.count("\n")


def test_the_instances_are_those_of_the_settings(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """So in a container of an instance, the command needs no URL."""
    monkeypatch.setenv("KCL_FLOWLOG_PEERS", f"{A} {B}")

    assert 0 == terminal.run(BOTH).code
    assert ["a", "b"] == sorted(terminal.connect.connected)


def test_a_table_fits_eighty_columns_and_no_terminal_obeys_it() -> None:
    """Whatever the texts are; IPv6 addresses are whole."""
    long = "2001:db8:1111:2222:3333:4444:5555:6666"
    hostile = 200 * "\x1b[31m\u202e"
    note = InterfaceNote(hostile, SUBNET, hostile, "interface", "i-0a", ("web",), hostile)
    some = [HeavyAddress(long, 10**15, 2**63 - 1, note), HeavyAddress(hostile, 1, 1)]
    report = WhoReport(
        *(hostile, hostile, "vpc-1", 0, 1),
        Rejected(1, 1, True, some, [], [HeavyPair(long, long, 1, 1, note, note)]),
        Accepted(some, []),
        Peers(1, [MissingPeer(hostile, hostile)]),
    )
    listed = SubnetList([SubnetLine(hostile, hostile, hostile, 10**15, 1)], report.peers)

    for lines in (report_lines(report, "1h"), list_lines(listed), list_lines(SubnetList([], Peers(1, [])))):
        assert all(line.isprintable() for line in lines)
        assert 80 >= max(map(len, lines))
    assert 4 == sum(long in line for line in report_lines(report, "1h"))
