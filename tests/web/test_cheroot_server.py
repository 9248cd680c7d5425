"""What cheroot reports. The rest of it is tested over sockets, in test_server.py."""

from __future__ import annotations

import logging

import pytest

from kcl_flowlog.web.cheroot_server import CherootServer
from kcl_flowlog.web.listening import listen


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        (logging.DEBUG, logging.DEBUG),
        (logging.INFO, logging.DEBUG),
        (logging.WARNING, logging.DEBUG),
        (logging.ERROR, logging.ERROR),
        (logging.CRITICAL, logging.CRITICAL),
    ],
)
def test_only_errors_of_cheroot_reach_a_normal_log(level: int, logged: int, caplog: pytest.LogCaptureFixture) -> None:
    """The rest are mistakes of clients, which anybody can make as often as they like."""
    with listen("127.0.0.1", 0) as listening, caplog.at_level(logging.DEBUG):
        server = CherootServer(listening, lambda environ, start: [], lambda: None, 5.0, 2.0)

        server.error_log("Something happened", level)

    assert [("kcl_flowlog.web.cheroot_server", logged, "Something happened")] == caplog.record_tuples
