"""The thread that keeps the traffic coming."""

import random

from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.truth import total
from tests.support.demo_fakes import WORLD, eventually


def producer(put, **options):
    return Producer(WORLD, Traffic(WORLD, random.Random(1)), put, pace=0.02, **options)


def test_only_what_was_accepted_is_truth():
    """The truth is the sum of the envelopes that the stream accepted, not of those made."""
    accepted = []

    def put(envelopes):
        accepted.extend(envelopes[::2])
        return envelopes[::2]

    running = producer(put, rate=2000)
    running.start()
    assert eventually(lambda: running.truth().events["counted"] > 100)
    running.stop()
    assert total(envelope.truth for envelope in accepted) == running.truth()


def test_it_starts_with_a_control_message():
    """The first request carries a control message, as a new subscription does."""
    requests = []

    def put(envelopes):
        requests.append(list(envelopes))
        return envelopes

    running = producer(put)
    running.start()
    assert eventually(lambda: len(requests) > 3)
    running.stop()
    controls = [sum(envelope.truth.payloads["control"] for envelope in request) for request in requests]
    assert [1] + [0] * (len(requests) - 1) == controls


def test_a_failed_request_ends_it_and_is_kept():
    """An error of the stream ends the thread, and `failure` says which."""

    def put(envelopes):
        raise ConnectionError("the stream is gone")

    running = producer(put)
    running.start()
    assert eventually(lambda: running.failure is not None)
    running.stop()
    assert str(running.failure) == "the stream is gone"


def test_stopping_twice_or_before_the_start_does_no_harm():
    """`stop` may be called at any time."""
    running = producer(lambda envelopes: envelopes)
    running.stop()
    running.start()
    running.stop()
    running.stop()
    assert running.failure is None
