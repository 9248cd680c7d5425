"""What a gate can do with a request other than to forward it: refuse it, forget its answer, hold it, say nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from tests.fleet.gate import Answer, Deed, Forward, Request, Rule

IsHeld = Callable[[Request], bool]


def _error(status: int, kind: str) -> Answer:
    body = f'{{"__type":"{kind}","message":"The fleet answers this."}}'
    return Answer(status, [("content-type", "application/x-amz-json-1.1"), ("x-amzn-errortype", kind)], body.encode())


_DYNAMODB = "com.amazonaws.dynamodb.v20120810#"
_THROTTLED = _error(400, f"{_DYNAMODB}ProvisionedThroughputExceededException")
_FAILED = _error(500, f"{_DYNAMODB}InternalServerError")
_READ_ERRORS = (
    _error(400, "ExpiredIteratorException"),
    _error(400, "ProvisionedThroughputExceededException"),
    _error(500, "InternalFailure"),
)


def fail_all(request: Request) -> Deed | None:
    """Answer every request with an error."""
    return lambda forward, lifted: _FAILED


def throttle_commits(request: Request) -> Deed | None:
    """Refuse checkpoints and claims."""
    return (lambda forward, lifted: _THROTTLED) if request.is_commit else None


def lose_answers(rng: random.Random) -> Rule:
    """Return a rule that stores checkpoints and claims, and answers half of them with an error."""

    def lose(forward: Forward, lifted: threading.Event) -> Answer:
        forward()
        return _FAILED

    return lambda request: lose if request.is_commit and rng.random() < 0.5 else None


def silence(rng: random.Random) -> Rule:
    """Return a rule that answers nothing. Half of the requests arrive afterwards, as a network sends them again."""

    def say_nothing(forward: Forward, lifted: threading.Event) -> Answer:
        lifted.wait()
        return forward() if rng.random() < 0.5 else _FAILED

    return lambda request: say_nothing


def hold(rng: random.Random, is_held: IsHeld, seconds: tuple[float, float]) -> Rule:
    """Return a rule that holds some requests, or their answers, for a random time."""

    def hold_request(forward: Forward, lifted: threading.Event) -> Answer:
        lifted.wait(rng.uniform(*seconds))
        return forward()

    def hold_answer(forward: Forward, lifted: threading.Event) -> Answer:
        answer = forward()
        lifted.wait(rng.uniform(*seconds))
        return answer

    return lambda request: rng.choice((hold_request, hold_answer)) if is_held(request) else None


def hold_first(is_held: IsHeld, arrived: threading.Event) -> Rule:
    """Return a rule that holds the first such request until the rule is lifted; `arrived` is set once it is there."""
    lock = threading.Lock()

    def hold_request(forward: Forward, lifted: threading.Event) -> Answer:
        lifted.wait()
        return forward()

    def decide(request: Request) -> Deed | None:
        with lock:
            if arrived.is_set() or not is_held(request):
                return None
            arrived.set()
            return hold_request

    return decide


def fail_reads(rng: random.Random) -> Rule:
    """Return a rule that answers half of all GetRecords with an error: expired iterator, throttled, failed."""

    def fail(forward: Forward, lifted: threading.Event) -> Answer:
        return rng.choice(_READ_ERRORS)

    return lambda request: fail if request.operation == "GetRecords" and rng.random() < 0.5 else None
