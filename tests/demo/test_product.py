"""The product as a child process of the demo."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from kcl_flowlog.demo.errors import DemoError
from kcl_flowlog.demo.product import Product, environment, product_argv
from tests.support.waiting import eventually

PREPARE = """
import signal, sys, time
def capture(handler):
    signal.signal(signal.SIGTERM, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
"""
UP = "print('up', flush=True); time.sleep(600)"


class Start(Protocol):
    """Starts Python code as the product, and waits until it is up."""

    def __call__(self, code: str, is_up: Callable[[], bool] | None = None) -> Product: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts Python code as the product."""
    started: list[Product] = []

    def start(code: str, is_up: Callable[[], bool] | None = None) -> Product:
        product = Product([sys.executable, "-c", PREPARE + code], dict(os.environ), tmp_path / "log")
        started.append(product)
        product.start()
        assert eventually(is_up or (lambda: (tmp_path / "log").read_bytes() == b"up\n"))
        return product

    yield start
    for product in started:
        product.clean_up()


def error_of(product: Product) -> str:
    """Return the error of a product that has died, or an empty text."""
    try:
        product.check()
    except DemoError as error:
        return str(error)
    return ""


def test_a_product_that_dies_says_why(tmp_path: Path) -> None:
    """The error has the status and the last lines of the log."""
    product = Product([sys.executable, "-c", "exit('no such stream')"], dict(os.environ), tmp_path / "log")
    product.start()
    expected = "kcl-flowlog run ended with status 1. Its last output:\n  no such stream"
    assert eventually(lambda: expected == error_of(product))
    product.stop()


def test_a_product_stops_on_sigterm(start: Start) -> None:
    """A product that ends with status 0 on SIGTERM stops without an error; a second stop does nothing."""
    product = start(f"capture(lambda *_: sys.exit(0)); {UP}")
    product.check()
    product.stop()
    product.stop()


def test_a_sigterm_before_the_handlers_are_set_is_not_lost(start: Start, tmp_path: Path) -> None:
    """A product that is slow to set its handler still stops in order if the SIGTERM comes earlier."""
    gate = tmp_path / "gate"
    slow = f"import pathlib\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)\n"
    product = start(f"{slow}capture(lambda *_: sys.exit(0)); {UP}", is_up=lambda: True)

    def open_gate() -> bool:
        gate.touch()
        return False

    # The product stays without a handler until `stop` has sent the signal and waits for the end.
    product.stop(in_a_hurry=open_gate)
    assert gate.exists()


def test_another_status_is_an_error(start: Start) -> None:
    """Another status than 0 after SIGTERM is an error."""
    product = start(f"capture(lambda *_: sys.exit(3)); {UP}")
    with pytest.raises(DemoError, match="stopped on SIGTERM with status 3"):
        product.stop()


def test_a_product_that_ignores_sigterm_is_killed(start: Start) -> None:
    """After the patience it is killed, and that is an error."""
    product = start(f"capture(signal.SIG_IGN); {UP}")
    with pytest.raises(DemoError, match=r"did not stop within 0\.1 s"):
        product.stop(patience=0.1)


def test_a_user_in_a_hurry_makes_the_product_hurry(start: Start) -> None:
    """A second SIGTERM follows once the user is in a hurry."""
    product = start(f"received = []; capture(lambda *_: received.append(1) or len(received) < 2 or sys.exit(0)); {UP}")
    product.stop(in_a_hurry=lambda: True)


def test_a_clean_up_ignores_errors(start: Start) -> None:
    """The clean-up after another error stops the product and raises nothing."""
    product = start(f"capture(lambda *_: sys.exit(3)); {UP}")
    product.clean_up()
    product.check()


def test_the_product_inherits_no_account_and_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product gets none of the caller's AWS and KCL_FLOWLOG variables."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("KCL_FLOWLOG_STREAM", "production")
    monkeypatch.setenv("LANG", "C.UTF-8")
    given = environment({"AWS_REGION": "eu-west-1"})
    assert "C.UTF-8" == given["LANG"]
    assert ["AWS_REGION"] == [name for name in given if name.startswith(("AWS_", "KCL_FLOWLOG_"))]


def test_the_product_is_the_command_of_a_user(tmp_path: Path) -> None:
    """The command names the stream, the state directory and the address of the metrics."""
    argv = product_argv("flow-logs", tmp_path, 10514)
    assert ["-m", "kcl_flowlog", "run"] == argv[1:4]
    options = dict(zip(argv[4::2], argv[5::2], strict=True))
    assert "flow-logs" == options["--stream"]
    assert str(tmp_path) == options["--state-dir"]
    assert "127.0.0.1:10514" == options["--web.listen-address"]
