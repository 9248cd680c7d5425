"""The thread that sends traffic."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.tally import add_up
from kcl_flowlog.demo.traffic import Traffic
from tests.support.demo_fakes import WORLD
from tests.support.waiting import eventually


def start_producer(put: Callable[[Sequence[Envelope]], list[Envelope]], rate: float = 300.0) -> Producer:
    """Start a producer that sends its control message only once."""
    traffic = Traffic(WORLD, random.Random(1))
    producer = Producer(WORLD, traffic, put, rate, pace=0.02, control_interval=float("inf"))
    producer.start()
    return producer


def test_only_accepted_envelopes_are_tallied() -> None:
    """The tally is the sum of the envelopes that the stream accepted, not of those sent."""
    accepted: list[Envelope] = []

    def put(envelopes: Sequence[Envelope]) -> list[Envelope]:
        accepted.extend(envelopes[::2])
        return list(envelopes[::2])

    running = start_producer(put, rate=2000)
    assert eventually(lambda: running.tally().events["counted"] > 100)
    running.stop()
    assert add_up(envelope.tally for envelope in accepted) == running.tally()


def test_the_first_request_has_a_control_message() -> None:
    """The traffic begins with a control message, as a new subscription does."""
    requests: list[list[Envelope]] = []

    def put(envelopes: Sequence[Envelope]) -> list[Envelope]:
        requests.append(list(envelopes))
        return list(envelopes)

    running = start_producer(put)
    assert eventually(lambda: len(requests) > 3)
    running.stop()
    controls = [sum(envelope.tally.payloads["control"] for envelope in request) for request in requests]
    assert [1] + [0] * (len(requests) - 1) == controls


def test_a_failed_request_ends_the_thread() -> None:
    """An error of the stream ends the thread, and `failure` holds the error."""

    def put(envelopes: Sequence[Envelope]) -> list[Envelope]:
        raise ConnectionError("the stream is gone")

    running = start_producer(put)
    assert eventually(lambda: running.failure is not None)
    running.stop()
    assert "the stream is gone" == str(running.failure)


def test_a_producer_can_be_stopped_at_any_time() -> None:
    """A stop before the start or a second stop does nothing."""
    Producer(WORLD, Traffic(WORLD, random.Random(1)), list).stop()
    running = start_producer(list)
    running.stop()
    running.stop()
    assert running.failure is None
