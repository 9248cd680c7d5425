"""The pages /who and /api/v1/who: reads the query, asks `source`, and writes HTML or JSON.

A query that can't be answered gets one sentence that says what to do. Knows nothing of sketches. The page works without
JavaScript; all that it shows is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs, urlencode

import msgspec

from kcl_flowlog.counting.who.steps import STEP, STEPS
from kcl_flowlog.values import parse_count, parse_duration
from kcl_flowlog.web.exchange import Response, text
from kcl_flowlog.web.html_page import HEADERS, html
from kcl_flowlog.web.jinja import render
from kcl_flowlog.web.who_report import MissingPeer, Peers, SubnetLine, SubnetList, WhoReport

PATH = "/who"
API_PATH = "/api/v1/who"
WINDOWS = {"5m": 1, "15m": 3, "30m": 6, "1h": 12}
"""The windows that the page offers, in steps."""
ACTIONS = ("reject", "accept")
FORMATS = ("json", "sketch")
_MOST_NAMES = 100
_DEFAULT_NAMES = 10
_JSON = "application/json"


class Question(NamedTuple):
    """What a query asks: a subnet, empty for all; which actions; how many steps back; how many names of each kind."""

    subnet_id: str = ""
    actions: Sequence[str] = ACTIONS
    steps: int = STEPS
    most: int = _DEFAULT_NAMES
    format: str = "json"

    @property
    def is_of_peer(self) -> bool:
        """Whether another instance asks, and waits: so this instance must not ask its own peers."""
        return self.format == "sketch"


class BadQuestion(Exception):
    """A query that has no answer; the text says what to do."""


class Answer(NamedTuple):
    """What is known: all subnets, and of the subnet in question a report, None if it is unknown."""

    subnets: list[SubnetLine]
    report: WhoReport | None = None
    peers: Peers | None = None


class WhoSource(Protocol):
    """Knows who sent what, such as `kcl_flowlog.launcher.who_answers.WhoAnswers`."""

    def answer(self, question: Question) -> Answer:
        """Return what this instance and its peers know; it may take as long as peers may take."""

    def own(self, question: Question) -> bytes:
        """Return what this instance knows, for another to merge. Asks nobody."""


def question_of(query: str) -> Question:
    """Return the question of a query. Raises `BadQuestion`."""
    fields = {name: values[-1].strip() for name, values in parse_qs(query).items()}
    for name in fields:
        if name not in ("subnet", "action", "window", "limit", "format"):
            raise BadQuestion(f"Unknown parameter {name}; use subnet, action, window, limit and format.")
    action = fields.get("action", "")
    if action not in ("", *ACTIONS):
        raise BadQuestion("The action is reject or accept; leave it out for both.")
    wanted = fields.get("format", FORMATS[0])
    if wanted not in FORMATS:
        raise BadQuestion("The format is json or sketch.")
    actions = (action,) if action else ACTIONS
    steps, most = _steps(fields.get("window", "1h")), _most(fields.get("limit", str(_DEFAULT_NAMES)))
    return Question(fields.get("subnet", ""), actions, steps, most, wanted)


def _steps(window: str) -> int:
    try:
        seconds = parse_duration(window)
    except ValueError:
        seconds = 0.0
    if not STEP <= seconds <= STEP * STEPS:
        raise BadQuestion("The window is a time from 5m to 1h, such as 15m.")
    # A part of a step is the whole step.
    return -int(-seconds // STEP)


def _most(limit: str) -> int:
    try:
        most = parse_count(limit)
    except ValueError:
        most = 0
    if not 1 <= most <= _MOST_NAMES:
        raise BadQuestion(f"The limit is a number from 1 to {_MOST_NAMES}.")
    return most


def asks_nobody(query: str) -> bool:
    """Say whether `api` answers a query without asking anybody."""
    try:
        return question_of(query).is_of_peer
    except BadQuestion:
        return True


def api(source: WhoSource, query: str) -> Response:
    """Return the answer as JSON, or what this instance alone knows for another to merge."""
    return _answered(query, lambda question: _api(source, question))


def _api(source: WhoSource, question: Question) -> Response:
    if question.is_of_peer:
        return Response(HTTPStatus.OK, [source.own(question)], "application/octet-stream", HEADERS)
    answer = source.answer(question)
    return _json(_report(answer, question) if question.subnet_id else SubnetList(answer.subnets, answer.peers))


def page(source: WhoSource, query: str) -> Response:
    """Return the page as HTML."""
    return _answered(query, lambda question: _page(source, question))


def _page(source: WhoSource, question: Question) -> Response:
    answer = source.answer(question)
    windows = {steps: name for name, steps in WINDOWS.items()}
    # A window that the page does not offer stays chosen.
    window = windows.setdefault(question.steps, f"{question.steps * STEP // 60}m")
    page = render(
        "who.html",
        title="Who?",
        report=_report(answer, question) if question.subnet_id else None,
        subnets=answer.subnets,
        peers=answer.peers,
        question=question,
        window=window,
        windows=[windows[steps] for steps in sorted(windows)],
        api=f"{API_PATH.lstrip('/')}?{urlencode(_fields(question, window))}",
    )
    return html(page)


def _fields(question: Question, window: str) -> Mapping[str, str]:
    return {"subnet": question.subnet_id, "window": window} if question.subnet_id else {"window": window}


def _report(answer: Answer, question: Question) -> WhoReport:
    if answer.report is None:
        silent = "".join(f" {each}" for each in _missing(answer))
        raise BadQuestion(
            f"Nothing is known of the subnet {question.subnet_id!a}; {PATH} lists those that are known.{silent}"
        )
    return answer.report


def _missing(answer: Answer) -> Sequence[MissingPeer]:
    return answer.peers.missing if answer.peers is not None else ()


def _json(answer: object) -> Response:
    return Response(HTTPStatus.OK, [msgspec.json.encode(answer)], _JSON, HEADERS)


def _answered(query: str, answer: Callable[[Question], Response]) -> Response:
    try:
        return answer(question_of(query))
    except BadQuestion as bad:
        return text(HTTPStatus.BAD_REQUEST, str(bad), headers=HEADERS)
