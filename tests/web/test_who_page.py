"""The pages about who sent what, asked without a server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from kcl_flowlog.web.jinja import short
from kcl_flowlog.web.who_page import Question, api, page
from kcl_flowlog.web.who_report import (
    Accepted,
    HeavyAddress,
    HeavyPair,
    HeavyPort,
    InterfaceNote,
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
        [HeavyAddress("198.51.100.7", 1500, 1510), HeavyAddress("2001:db8:1111:2222:3333:4444:5555:6666", 3, 3)],
        [HeavyPort("tcp", 22, 1500, 1500)],
        [HeavyPair("198.51.100.7", "10.0.1.10", 1500, 1500, None, NOTE)],
    ),
    Accepted([HeavyAddress("10.0.1.10", 2**50, 2**50, NOTE)], []),
)
LINES = [SubnetLine("subnet-a", HOSTILE, "vpc-1", 12_345, 2), SubnetLine("subnet-b", "", "", 1, 1)]


class Source:
    """Answers with what the test sets, and notes each question."""

    def __init__(self) -> None:
        self.questions: list[Question] = []

    def subnets(self) -> Sequence[SubnetLine]:
        return LINES

    def report(self, question: Question) -> WhoReport | None:
        self.questions.append(question)
        return REPORT if question.subnet_id == "subnet-a" else None

    def sketch(self, question: Question) -> bytes:
        self.questions.append(question)
        return b"sketch"


def answer(query: str) -> Any:
    response = api(Source(), query)
    assert (HTTPStatus.OK, "application/json") == (response.status, response.content_type)
    return json.loads(b"".join(response.body))


def test_the_json_has_what_is_known() -> None:
    """What EC2 does not tell is left out."""
    found = answer("subnet=subnet-a")

    assert json.loads(msgspec.json.encode(REPORT)) == found
    assert {"address": "198.51.100.7", "about": 1500, "at_most": 1510} == found["rejected"]["sources"][0]
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


def test_the_page_shows_all_and_obeys_none_of_it() -> None:
    """Texts from outside are escaped, for the browser and for the eye."""
    html = b"".join(page(Source(), "subnet=subnet-a&window=15m").body).decode()

    assert "<script" not in html
    assert "\u202e" not in html
    for shown in (
        *("198.51.100.7", "1.5k", "at most 1.5k", "tcp/22", "1.1P", "12,345", "or more", "web &amp; db", "eni-a"),
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
