"""Stop signals: captured from the first moment, and none is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from kcl_flowlog.launcher.signals import STOP_SIGNALS, StopRequests, captured, held_back
from tests.support.waiting import PATIENCE


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_captured_signal_is_noted_and_nothing_else(number: signal.Signals) -> None:
    """The process goes on, and learns which signal came."""
    noted: list[int] = []

    with captured(noted.append):
        signal.raise_signal(number)

    assert [number] == noted


def test_the_handlers_of_before_come_back() -> None:
    """Even when the captured part fails."""
    before = [signal.getsignal(number) for number in STOP_SIGNALS]

    with pytest.raises(ZeroDivisionError), captured(print):
        raise ZeroDivisionError

    assert before == [signal.getsignal(number) for number in STOP_SIGNALS]


def test_each_signal_is_one_request() -> None:
    """The first request means stop, the second means hurry."""
    requests = StopRequests()
    assert (False, False) == (requests.is_pending, requests.wait(0))

    with captured(requests.note):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)

    assert [(True, True), (True, True), (False, False)] == [(requests.is_pending, requests.wait(0)) for _ in range(3)]


def test_a_request_ends_the_wait() -> None:
    """A signal that arrives during `wait` is returned at once."""
    requests = StopRequests()
    killer = subprocess.Popen([sys.executable, "-c", f"import os; os.kill({os.getpid()}, 15)"])

    with captured(requests.note):
        is_requested = requests.wait(PATIENCE)
        killer.wait()

    assert is_requested


def test_a_signal_held_back_reaches_the_new_process_once_it_captures() -> None:
    """A signal sent before the process has a handler waits for the handler."""
    program = (
        "import sys\n"
        "sys.stdin.readline()\n"
        "from kcl_flowlog.launcher.signals import StopRequests, captured\n"
        "requests = StopRequests()\n"
        "with captured(requests.note):\n"
        f"    sys.exit(0 if requests.wait({PATIENCE}) else 3)\n"
    )
    with held_back():
        process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)

    process.terminate()
    process.communicate(b"\n")

    assert 0 == process.returncode


ENDING = """
import atexit, signal, sys
from kcl_flowlog.launcher.signals import captured
atexit.register(signal.raise_signal, signal.SIGTERM)
with captured(print, ends_process=True):
    signal.raise_signal(signal.SIGTERM)
    sys.exit(0)
"""


def test_a_repeated_request_does_not_kill_a_process_that_ends() -> None:
    """Python takes its handlers away while it ends; the signal is ignored even then."""
    ended = subprocess.run([sys.executable, "-c", ENDING], check=False, capture_output=True)

    assert (0, b"15\n") == (ended.returncode, ended.stdout)


def test_signals_are_held_back_only_for_a_while() -> None:
    """Afterwards this process takes them as before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    with held_back():
        held = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    assert (set(STOP_SIGNALS) | set(before), before) == (set(held), signal.pthread_sigmask(signal.SIG_BLOCK, ()))
