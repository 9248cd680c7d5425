"""Slow, silent and hostile clients against the web server, over real sockets on 127.0.0.1.

Clients that hold up others are found without a clock: no timeout ends them during a test, so a scrape that has to wait
for them is never answered. They share the scraper's address. `python -m tests.web.measure` measures what the scraper
waits.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcl_flowlog.web.server import WebServer
from tests.support.attackers import ATTACKS, REQUEST, under
from tests.support.certificates import Authority
from tests.support.examples import examples
from tests.support.waiting import PATIENCE, eventually
from tests.support.web import LONG, FakeContents, Serve, ServedElsewhere, connect, get, trusting

# More than the buffers of the sockets hold.
LARGE_PAGE = os.urandom(3_000_000)


def exchange(server: WebServer, *sent: bytes) -> bytes:
    """Send each part, and return all that the server answers until it closes the connection."""
    with connect(server) as client:
        with contextlib.suppress(OSError):
            for part in sent:
                client.sendall(part)
            client.shutdown(socket.SHUT_WR)
        received = b""
        while data := client.recv(65536):
            received += data
        return received


# Clients that hold up others


@pytest.mark.parametrize(
    ("attack", "has_tls"), [*((attack, False) for attack in ATTACKS), ("all-together", True)], ids=str
)
def test_an_attack_holds_up_nobody(
    serve: Serve, contents: FakeContents, authority: Authority, tls_config: Path, attack: str, has_tls: bool
) -> None:
    """Every scrape of another client is answered, with the whole page."""
    contents.page = LARGE_PAGE
    server = serve(tls_config if has_tls else "", client_timeout=LONG, answer_timeout=LONG)
    context = trusting(authority) if has_tls else None
    with under(attack, server, context):
        scrapes = [get(server, context=context).body for _ in range(3)]

    assert [LARGE_PAGE] * 3 == scrapes


def test_an_attack_does_not_hold_up_a_stop(serve: Serve, contents: FakeContents) -> None:
    """The stop ends by `stop_timeout`, not by a timeout of the clients."""
    contents.page = LARGE_PAGE
    server = serve(client_timeout=LONG, answer_timeout=LONG, stop_timeout=0.1)
    with under("all-together", server):
        get(server)
        stopping = threading.Thread(target=server.stop, daemon=True)
        stopping.start()
        stopping.join(PATIENCE)

    assert not stopping.is_alive()


def test_a_rendering_that_hangs_does_not_hold_up_a_stop(serve: Serve, contents: FakeContents) -> None:
    """Nor does it hold up a health check."""
    has_begun, may_end = threading.Event(), threading.Event()

    def hang(accept: str, query: Mapping[str, Sequence[str]]) -> tuple[str, Sequence[bytes]]:
        has_begun.set()
        may_end.wait()
        return contents.render_page(accept, query)

    contents.render = hang
    server = serve(client_timeout=LONG, answer_timeout=LONG, stop_timeout=0.1)
    try:
        with connect(server) as client:
            client.sendall(REQUEST)
            assert has_begun.wait(PATIENCE)
            health = get(server, "/-/healthy")
            stopping = threading.Thread(target=server.stop, daemon=True)
            stopping.start()
            stopping.join(PATIENCE)
        assert not stopping.is_alive()
    finally:
        may_end.set()

    assert 200 == health.status


def test_the_oldest_silent_client_makes_room(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A network has 128 connections at most; the newest stays, and one warning says what happens."""
    server = serve(client_timeout=LONG)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(150)]
        closed = [client.recv(1) for client in clients[: 150 - 128]]
        clients[-1].sendall(REQUEST)
        answer = clients[-1].recv(15)

    assert [b""] * 22 == closed
    assert b"HTTP/1.1 200 OK" == answer
    (warning,) = caplog.records
    assert "Too many connections; closed the slowest" == warning.getMessage()


# A rendering serves all who wait for it


def test_scrapes_that_come_together_share_a_rendering(serve: Serve, contents: FakeContents) -> None:
    """20 scrapes come while a page is being made: none gets that page, all get the next."""
    has_begun, may_end = threading.Event(), threading.Event()
    numbers = iter(range(100))

    def render(accept: str, query: Mapping[str, Sequence[str]]) -> tuple[str, Sequence[bytes]]:
        number = next(numbers)
        has_begun.set()
        may_end.wait(PATIENCE)
        return "text/plain", [b"page %d" % number]

    contents.render = render
    server = serve(client_timeout=LONG)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(21)]
        clients[0].sendall(REQUEST)
        assert has_begun.wait(PATIENCE)
        for client in clients[1:]:
            client.sendall(REQUEST)
        # A request on another connection is answered later than these have arrived.
        assert 200 == get(server, "/-/healthy").status
        may_end.set()
        pages = [body_of(client) for client in clients]

    assert [b"page 0"] + [b"page 1"] * 20 == pages
    assert eventually(lambda: server.scrapes_answered == 21)


def body_of(client: socket.socket) -> bytes:
    received = b""
    while b"page" not in received:
        received += client.recv(1000)
    return received.partition(b"\r\n\r\n")[2]


# Hostile requests


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", b"431"),
        (b"x" * 200_000, b"431"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /\r\n\r\n", b"400"),
        (b"\r\n\r\n\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"\x00" * 100, b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"400"),
        (b"GET /metrics\xff HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;" + b"x" * 70_000, b"431"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: rot13\r\n\r\n", b"501"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, b"413"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", b"405"),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
        (b"GET http://a/metrics HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", b"200"),
        (b"GET /%ff%00 HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
        (b"GET /metrics?%ff=%00&&&;= HTTP/1.1\r\nHost: a\r\n\r\n", b"200"),
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"200"),
        (b"", b""),
    ],
)
def test_a_hostile_request_gets_a_short_answer(
    serve: Serve, caplog: pytest.LogCaptureFixture, request_: bytes, answer: bytes
) -> None:
    """The answer arrives although not all was read; the log stays clean, and the server goes on."""
    server = serve(client_timeout=LONG)

    received = exchange(server, request_)

    assert answer == received[9:12]
    assert len(received) < 1500
    assert 200 == get(server).status
    assert [] == caplog.records


def test_pipelined_requests_are_answered_in_turn(serve: Serve) -> None:
    """Each has its answer, in order."""
    paths = (b"/-/healthy", b"/none", b"/-/ready") * 30

    received = exchange(serve(), b"".join(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in paths))

    statuses = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert [b"200", b"404", b"200"] * 30 == statuses


@given(st.lists(st.binary(max_size=200) | st.sampled_from([REQUEST, b"\r\n", b"GET ", b"HTTP/1.1", b"Host: a"])))
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_leave_no_trace(serve: Serve, caplog: pytest.LogCaptureFixture, parts: list[bytes]) -> None:
    """Whatever a client sends, its connection ends, nothing is logged, and the server goes on."""
    server = serve(client_timeout=LONG)

    exchange(server, *parts)

    assert 200 == get(server).status
    server.stop()
    assert [] == caplog.records


# File descriptors


def test_without_descriptors_scrapes_are_answered() -> None:
    """64 descriptors, of which 6 are free, and 100 silent clients: scrapes are answered, and the log stays short."""
    with (
        subprocess.Popen(
            [sys.executable, "-m", "tests.web.few_descriptors"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        contextlib.ExitStack() as stack,
    ):
        assert process.stdout is not None
        server = ServedElsewhere(int(process.stdout.readline()))
        for _ in range(100):
            stack.enter_context(connect(server))
        statuses = [get(server).status for _ in range(3)]
        # The end of its standard input stops it.
        _, log = process.communicate(timeout=PATIENCE)

    assert ([200] * 3, 0) == (statuses, process.returncode), log
    assert ["Cannot accept a connection; trying again", "Too many connections; closed the slowest"] == sorted(
        log.splitlines()
    )
