"""Clients that attack the pages of an instance: they send and read so slowly that they never finish."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.fleet.errors import NothingDone
from tests.fleet.fleet import Fleet
from tests.fleet.member import Member

# Seconds that an attack lasts, and between two bytes.
DURATION = 15.0
INTERVAL = 0.3
CLIENTS = 60
# Scrapes that have to be answered during an attack.
SCRAPES = 3
_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
_ENDLESS_HEADER = b"X: " + b"x" * 10_000
_SIP = 64


def scrape_slowly(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Keep many connections open: half send an incomplete request, half never read their answer."""
    address = urllib.parse.urlsplit(member.instance.url)
    with ExitStack() as stack:
        try:
            for number in range(CLIENTS):
                client = stack.enter_context(socket.create_connection((address.hostname, address.port or 80), 5))
                client.sendall(_REQUEST + (b"\r\n" if number % 2 else b""))
        except OSError as error:
            raise NothingDone(f"{member.name} does not answer ({error})") from error
        fleet.pause(DURATION)
        assert fleet.wait(lambda: member.instance.page() is not None), (
            f"{member.name} keeps out others for slow clients"
        )
    return f"{CLIENTS} clients, for {DURATION:g} s"


def dribble(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Let many clients send a byte or read a few at a time, while Prometheus scrapes."""
    with _dribblers(member):
        before = fleet.scraper.answers[member.name]
        fleet.pause(DURATION)
        assert fleet.wait(lambda: fleet.scraper.answers[member.name] >= before + SCRAPES), (
            f"{member.name} keeps out Prometheus for dribbling clients"
        )
    return f"{CLIENTS} clients, for {DURATION:g} s"


def stop_under_attack(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Stop an instance in order while clients dribble, and start it again."""
    with _dribblers(member):
        fleet.pause(DURATION / 3)
        member.request_stop()
        ended = fleet.wait(lambda: not member.instance.is_running)
    assert ended, f"{member.name} does not stop while clients dribble"
    code = member.instance.exit_code()
    assert code == 0, f"{member.name} stopped with {code} while clients dribbled"
    member.start()
    return f"exit {code}"


@contextmanager
def _dribblers(member: Member) -> Iterator[None]:
    """Let clients dribble while the block runs; who is thrown out comes again."""
    address = urllib.parse.urlsplit(member.instance.url)
    end = threading.Event()
    thread = threading.Thread(target=_dribble, args=((address.hostname, address.port), end), name="dribblers")
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _dribble(address: tuple[str, int], end: threading.Event) -> None:
    clients: dict[int, socket.socket] = {}
    sent = dict.fromkeys(range(CLIENTS), 0)
    while not end.wait(INTERVAL):
        for number in range(CLIENTS):
            try:
                if number not in clients:
                    clients[number] = _connect(address)
                    sent[number] = 0
                    clients[number].sendall(_REQUEST + (b"\r\n" if number % 2 else b""))
                elif number % 2:
                    with contextlib.suppress(BlockingIOError):
                        if not clients[number].recv(_SIP):
                            clients.pop(number).close()
                else:
                    clients[number].send(_ENDLESS_HEADER[sent[number] : sent[number] + 1])
                    sent[number] += 1
            except OSError:
                if number in clients:
                    clients.pop(number).close()
    for client in clients.values():
        client.close()


def _connect(address: tuple[str, int]) -> socket.socket:
    client = socket.socket()
    try:
        # Small buffers at both ends: the page is larger.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        client.settimeout(1)
        client.connect(address)
        client.setblocking(False)
    except OSError:
        client.close()
        raise
    return client
