"""Requests to stop the demo."""

import signal

import pytest

from kcl_flowlog.demo.stop_request import StopRequest, Urgency
from tests.support.demo_fakes import ScriptedClock


@pytest.mark.parametrize(
    ("signals", "urgency"),
    [
        ([], Urgency.NONE),
        ([signal.SIGINT], Urgency.FINISH),
        ([signal.SIGINT, signal.SIGINT], Urgency.AT_ONCE),
        ([signal.SIGTERM], Urgency.AT_ONCE),
        ([signal.SIGTERM, signal.SIGINT], Urgency.AT_ONCE),
    ],
)
def test_signals_raise_the_urgency(signals: list[signal.Signals], urgency: Urgency) -> None:
    """The first SIGINT asks to finish; the second SIGINT or a SIGTERM asks to stop at once."""
    request = StopRequest()
    with request.captured():
        for number in signals:
            signal.raise_signal(number)
    assert urgency == request.urgency


def test_the_handlers_before_are_restored() -> None:
    """After the capture the signal has its former handler again."""
    before = signal.getsignal(signal.SIGINT)
    with StopRequest().captured():
        assert before != signal.getsignal(signal.SIGINT)
    assert before == signal.getsignal(signal.SIGINT)


def test_a_wait_without_a_request_takes_its_time() -> None:
    """Without a request a wait takes the whole time and returns false."""
    clock = ScriptedClock()
    assert not StopRequest(clock=clock, sleep=clock.sleep).wait(30)
    assert pytest.approx(30) == clock.now


def test_a_wait_ends_with_a_request_of_its_urgency() -> None:
    """A wait ends at the first request that is urgent enough."""
    clock = ScriptedClock()
    request = StopRequest(clock=clock, sleep=clock.sleep)
    clock.at(5, lambda: setattr(request, "urgency", Urgency.FINISH))
    clock.at(9.95, lambda: setattr(request, "urgency", Urgency.AT_ONCE))
    assert request.wait(30, Urgency.AT_ONCE)
    assert pytest.approx(10) == clock.now
