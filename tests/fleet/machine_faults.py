"""Faults of the machine and the network: a full disk, a clock that jumps, clients that never read."""

from __future__ import annotations

import random
import socket
import urllib.parse
from contextlib import ExitStack

from tests.fleet.errors import NothingDone
from tests.fleet.fleet import Fleet
from tests.fleet.member import Member

# Seconds that a fault lasts.
DURATION = 15.0
CLOCK_STEPS = (-3600, -20, 20, 3600)
SLOW_CLIENTS = 60


def fill_disk(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Fill the disk of the state directory for a while."""
    if not member.disk.is_small:
        raise NothingDone("no small disk, as only root can mount one")
    member.disk.fill()
    fleet.pause(DURATION)
    member.disk.clear()
    return f"for {DURATION:g} s"


def shift_clock(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Set the wall clock of an instance wrong for a while."""
    seconds = rng.choice(CLOCK_STEPS)
    member.clock.set(seconds)
    fleet.pause(DURATION)
    member.clock.set(0)
    return f"by {seconds:+d} s, for {DURATION:g} s"


def scrape_slowly(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Keep many connections open: half send an incomplete request, half never read their answer."""
    address = urllib.parse.urlsplit(member.instance.url)
    with ExitStack() as stack:
        try:
            for number in range(SLOW_CLIENTS):
                client = stack.enter_context(socket.create_connection((address.hostname, address.port or 80), 5))
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + (b"\r\n" if number % 2 else b""))
        except OSError as error:
            raise NothingDone(f"{member.name} does not answer ({error})") from error
        fleet.pause(DURATION)
        assert fleet.wait(lambda: member.instance.page() is not None), (
            f"{member.name} keeps out others for slow clients"
        )
    return f"{SLOW_CLIENTS} clients, for {DURATION:g} s"
