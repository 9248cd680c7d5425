"""The pages about who sent what, asked without a server."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from kcl_flowlog.values import parse_duration
from kcl_flowlog.web.jinja import short
from kcl_flowlog.web.who_page import Answer, Question, api, asks_nobody, page
from kcl_flowlog.web.who_report import (
    Accepted,
    HeavyAddress,
    HeavyPair,
    HeavyPort,
    InterfaceNote,
    MissingPeer,
    Peers,
    Rejected,
    SubnetLine,
    WhoReport,
)

HOSTILE = '<script>alert("x")</script>\u202e'
NOTE = InterfaceNote("eni-a", "subnet-a", HOSTILE, "interface", "i-0a", ("web & db",), "shop")
REPORT = WhoReport(
    *("subnet-a", HOSTILE, "vpc-1", 1_700_000_000, 1_700_003_600),
    Rejected(
        *(12_345, 2, True),
        [HeavyAddress("198.51.100.7", 1500, 1600), HeavyAddress("2001:db8:1111:2222:3333:4444:5555:6666", 3, 3)],
        [HeavyPort("tcp", 22, 1500, 1500)],
        [HeavyPair("198.51.100.7", "10.0.1.10", 1500, 1500, None, NOTE)],
    ),
    Accepted([HeavyAddress("10.0.1.10", 2**50, 2**50, NOTE)], []),
)
LINES = [SubnetLine("subnet-a", HOSTILE, "vpc-1", 12_345, 2), SubnetLine("subnet-b", "", "", 1, 1)]


PARTIAL = Peers(2, [MissingPeer("http://10.0.0.3:10514", f"did not answer {HOSTILE}")])


class Source:
    """Answers with what the test sets, and notes each question."""

    def __init__(self, peers: Peers | None = None) -> None:
        self.peers = peers
        self.questions: list[Question] = []

    def answer(self, question: Question) -> Answer:
        self.questions.append(question)
        report = msgspec.structs.replace(REPORT, peers=self.peers) if question.subnet_id == "subnet-a" else None
        return Answer(LINES, report, self.peers)

    def own(self, question: Question) -> bytes:
        self.questions.append(question)
        return b"sketch"


def answer(query: str, peers: Peers | None = None) -> Any:
    response = api(Source(peers), query)
    assert (HTTPStatus.OK, "application/json") == (response.status, response.content_type)
    return json.loads(b"".join(response.body))


def test_the_json_has_what_is_known() -> None:
    """What EC2 does not tell is left out."""
    found = answer("subnet=subnet-a")

    assert json.loads(msgspec.json.encode(REPORT)) == found
    assert {"address": "198.51.100.7", "about": 1500, "at_most": 1600} == found["rejected"]["sources"][0]
    assert "i-0a" == found["rejected"]["pairs"][0]["destination_interface"]["instance_id"]


def test_without_a_subnet_the_json_lists_them() -> None:
    assert {"subnets": [msgspec.to_builtins(line) for line in LINES]} == answer("")


@pytest.mark.parametrize(
    ("query", "question"),
    [
        ("subnet=subnet-a", Question("subnet-a")),
        ("subnet=+subnet-a+&action=reject", Question("subnet-a", ("reject",))),
        ("subnet=subnet-a&action=accept&window=5m", Question("subnet-a", ("accept",), 1)),
        ("subnet=subnet-a&window=301s&limit=100", Question("subnet-a", steps=2, most=100)),
        ("subnet=subnet-a&window=60m", Question("subnet-a", steps=12)),
    ],
)
def test_a_query_asks_a_question(query: str, question: Question) -> None:
    """A part of a step is the whole step."""
    for answered in (api, page):
        source = Source()
        assert HTTPStatus.OK is answered(source, query).status
        assert [question] == source.questions


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("subnet=subnet-x", "Nothing is known of the subnet 'subnet-x'; /who lists those that are known."),
        ("subnet=a&window=2h", "The window is a time from 5m to 1h, such as 15m."),
        ("subnet=a&window=1m", "The window is a time from 5m to 1h, such as 15m."),
        ("subnet=a&window=x", "The window is a time from 5m to 1h, such as 15m."),
        ("subnet=a&action=drop", "The action is reject or accept; leave it out for both."),
        ("subnet=a&limit=0", "The limit is a number from 1 to 100."),
        (f"subnet=a&limit={'9' * 5000}", "The limit is a number from 1 to 100."),
        ("subnet=a&limit=x", "The limit is a number from 1 to 100."),
        ("subnet=a&format=xml", "The format is json or sketch."),
        ("subnets=a", "Unknown parameter subnets; use subnet, action, window, limit and format."),
    ],
)
def test_a_query_without_an_answer_gets_a_sentence(query: str, sentence: str) -> None:
    for answered in (api, page):
        response = answered(Source(), query)
        assert HTTPStatus.BAD_REQUEST is response.status
        assert f"{sentence}\n" == b"".join(response.body).decode()


def test_a_sketch_is_for_other_instances() -> None:
    response = api(Source(), "subnet=subnet-a&format=sketch&window=15m")

    assert ("application/octet-stream", [b"sketch"]) == (response.content_type, response.body)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("subnet=subnet-a&format=sketch", True), ("subnet=subnet-a", False), ("", False), ("format=xml", True)],
)
def test_what_another_instance_asks_is_answered_alone(query: str, expected: bool) -> None:
    """So two instances that ask each other never wait for each other."""
    assert expected is asks_nobody(query)


@pytest.mark.parametrize("query", ["", "subnet=subnet-a"])
def test_a_partial_answer_says_so(query: str) -> None:
    """In JSON and on the page, with each peer and its reason."""
    html = b"".join(page(Source(PARTIAL), query).body).decode()

    assert msgspec.to_builtins(PARTIAL) == answer(query, PARTIAL)["peers"]
    assert "<strong>Partial.</strong> Counted by this instance and 2 others; missing:" in html
    assert "<li>http://10.0.0.3:10514 did not answer &lt;script&gt;" in html


@pytest.mark.parametrize("query", ["", "subnet=subnet-a"])
def test_a_whole_answer_says_how_many_have_counted(query: str) -> None:
    html = b"".join(page(Source(Peers(1, [])), query).body).decode()

    assert "Counted by this instance and 1 other." in html
    assert "Partial" not in html


def test_an_unknown_subnet_may_be_that_of_a_peer_that_is_silent() -> None:
    response = api(Source(Peers(0, [MissingPeer("http://b:1", "did not answer within 3 s")])), "subnet=subnet-x")

    assert (
        b"Nothing is known of the subnet 'subnet-x'; /who lists those that are known."
        b" http://b:1 did not answer within 3 s.\n"
    ) == b"".join(response.body)


@pytest.mark.parametrize(("query", "chosen"), [("window=10m", "10m"), ("window=15m", "15m"), ("", "1h")])
def test_the_form_keeps_the_window(query: str, chosen: str) -> None:
    """Also if it is none of those that the page offers; these stay in order."""
    html = b"".join(page(Source(), query).body).decode()

    windows = re.findall(r"<option( selected)?>(\w+)", html)
    assert [chosen] == [name for is_selected, name in windows if is_selected]
    assert [name for _, name in windows] == sorted({"5m", "15m", "30m", "1h", chosen}, key=parse_duration)


def test_the_page_shows_all_and_obeys_none_of_it() -> None:
    """Texts from outside are escaped, for the browser and for the eye."""
    html = b"".join(page(Source(), "subnet=subnet-a&window=15m").body).decode()

    assert "<script" not in html
    assert "\u202e" not in html
    for shown in (
        *("198.51.100.7", "1.5k", "at most 1.6k", "tcp/22", "1.1P", "12,345", "or more", "web &amp; db", "eni-a"),
        *("i-0a", "<option selected>15m", "api/v1/who?subnet=subnet-a&amp;window=15m", "subnet-b"),
    ):
        assert shown in html


def test_the_page_lists_subnets_first() -> None:
    html = b"".join(page(Source(), "").body).decode()

    assert 'href="who?subnet=subnet-b"' in html
    assert "Rejected</h2>" not in html


def test_the_page_is_kept_nowhere() -> None:
    """And it loads nothing."""
    headers = dict(page(Source(), "").headers)

    assert "no-store" == headers["Cache-Control"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (99_949, "99.9k"), (99_950, "100k"), (999_499, "999k"), (10**6, "1.0M")],
)
def test_numbers_are_short(number: int, text: str) -> None:
    assert text == short(number)
