"""What may happen to a fleet, in one table: each fault does its deed to a member, and says in a word what it did."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting import counts
from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.truth import Key, Sums, Truth
from kcl_flowlog.processor.faults import GAPS
from tests.fleet.fleet import STOP_PATIENCE, STUCK_AFTER, Fleet, Member, signal_all
from tests.fleet.gate import FAILING, FORGETFUL, OPEN, THROTTLED

ZOMBIES = (20.0, 60.0)
OUTAGES = (15.0, 60.0)
# Of what is there at once, or not at all.
SPELL = 15.0
ALONE_PATIENCE = 240.0
READY_PATIENCE = 60.0
POISON_PATIENCE = 120.0
POISON = b"arsenic in the payload"
CLOCK_STEPS = (-3600, -20, 20, 3600)
SLOW_CLIENTS = 60


class NothingDone(Exception):
    """A fault could not be done now; the reason is the text."""


class Fault(NamedTuple):
    """A fault, and how often it is drawn beside the others."""

    weight: int
    do: Callable[[Fleet, Member, random.Random], str]


def _kill_processor(fleet: Fleet, member: Member, rng: random.Random) -> str:
    pids = member.processors()
    if not pids:
        raise NothingDone("no processor there")
    signal_all([rng.choice(pids)], signal.SIGKILL)
    return ""


def _kill_daemon(fleet: Fleet, member: Member, rng: random.Random) -> str:
    pid = member.daemon()
    if not pid:
        raise NothingDone("no daemon there")
    os.kill(pid, signal.SIGKILL)
    return ""


def _kill_launcher(fleet: Fleet, member: Member, rng: random.Random) -> str:
    member.instance.kill_launcher()
    return ""


def _kill_all(fleet: Fleet, member: Member, rng: random.Random) -> str:
    member.instance.kill()
    return ""


def _die_in_gap(fleet: Fleet, member: Member, rng: random.Random) -> str:
    gap, victim = rng.choice(list(GAPS)), rng.choice(("processor", "daemon", "all"))
    member.instance.order(f"{gap} kill-{victim}")
    happened = fleet.wait(lambda: not member.instance.fault.exists(), 30)
    member.instance.fault.unlink(missing_ok=True)
    if not happened:
        raise NothingDone(f"{gap}, {victim}: it never got there")
    return f"{gap}, {victim}"


def _restart(fleet: Fleet, member: Member, rng: random.Random) -> str:
    code = _stop(fleet, member)
    member.start()
    return f"exit {code}"


def _lose_state(fleet: Fleet, member: Member, rng: random.Random) -> str:
    code = _stop(fleet, member)
    member.before.append(ledger_of(member))
    member.lose_state()
    member.start()
    return f"exit {code}"


def _roll(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Restart all instances, one when the one before is up again, as an orchestrator does; none has a volume."""
    said = []
    for one in fleet.members:
        said.append(f"{one.name} {_lose_state(fleet, one, rng)}")
        assert fleet.wait(one.is_up, READY_PATIENCE), f"{one.name} is not up again"
    return ", ".join(said)


def _damage_ledger(fleet: Fleet, member: Member, rng: random.Random) -> str:
    code = _stop(fleet, member)
    member.before.append(ledger_of(member))
    kept = kept_aside(member)
    path = member.instance.state / "ledger.sqlite3"
    content = path.read_bytes()
    path.write_bytes(rng.randbytes(4096) + content[4096 : len(content) // 2])
    member.start()
    assert fleet.wait(lambda: kept_aside(member) > kept, 30), f"{member.name} does not keep its damaged ledger"
    return f"exit {code}, kept aside"


def _fill_disk(fleet: Fleet, member: Member, rng: random.Random) -> str:
    if not member.disk.is_small:
        raise NothingDone("no small disk, as only root can mount one")
    member.disk.fill()
    fleet.wait(lambda: False, SPELL)
    member.disk.clear()
    return f"for {SPELL:g} s"


def _set_clock(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Let its clock leap, and leap back again."""
    seconds = rng.choice(CLOCK_STEPS)
    member.clock.set(seconds)
    fleet.wait(lambda: False, SPELL)
    member.clock.set(0)
    return f"by {seconds:+d} s, for {SPELL:g} s"


def _scrape_slowly(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Keep connections that ask for half a page, and others that never read the page they asked for."""
    address = urllib.parse.urlsplit(member.instance.url)
    with ExitStack() as stack:
        try:
            for number in range(SLOW_CLIENTS):
                client = stack.enter_context(socket.create_connection((address.hostname, address.port or 80), 5))
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + (b"\r\n" if number % 2 else b""))
        except OSError as error:
            raise NothingDone(f"{member.name} is not there ({error})") from error
        fleet.wait(lambda: False, SPELL)
        assert member.instance.page() is not None, f"{member.name} lets slow clients keep others out"
    return f"{SLOW_CLIENTS} clients, for {SPELL:g} s"


def _scale(fleet: Fleet, member: Member, rng: random.Random) -> str:
    code = _stop(fleet, member)
    fleet.wait(lambda: False, rng.uniform(10, 30))
    member.start()
    return f"exit {code}"


def _stop(fleet: Fleet, member: Member) -> int:
    member.wanted = False
    member.instance.ask_to_stop()
    assert fleet.wait(lambda: not member.instance.is_running, STOP_PATIENCE), f"{member.name} does not stop"
    code = member.instance.stop()
    assert code == 0, f"{member.name} stopped with {code}"
    return code


def _scale_to_one(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Leave one instance alone with all shards, and bring the others back."""
    others = [other for other in fleet.members if other is not member]
    for other in others:
        _stop(fleet, other)
    alone = time.time()
    flows = fleet.wait(lambda: fleet.flows_since(alone), ALONE_PATIENCE)
    took = time.time() - alone
    assert flows, f"{member.name} alone does not read every shard within {ALONE_PATIENCE:g} s"
    for other in others:
        other.start()
    return f"alone after {took:.0f} s"


def _zombie(fleet: Fleet, member: Member, rng: random.Random) -> str:
    seconds = rng.choice(ZOMBIES)
    pids = [pid for pid in (member.daemon(), *member.processors()) if pid]
    signal_all(pids, signal.SIGSTOP)
    fleet.wait(lambda: False, seconds)
    signal_all(pids, signal.SIGCONT)
    return f"{len(pids)} processes for {seconds:g} s"


def _reshard(fleet: Fleet, member: Member, rng: random.Random) -> str:
    return fleet.reshard(rng)


def _hang(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Stop one processor for good: nobody but its launcher can see that."""
    pids = member.processors()
    if not pids:
        raise NothingDone("no processor there")
    pid, before = rng.choice(pids), len(member.instance.log)
    signal_all([pid], signal.SIGSTOP)
    gone = fleet.wait(lambda: pid not in member.processors(), STUCK_AFTER + READY_PATIENCE)
    assert gone, f"{member.name} lets a processor hang"
    assert "has not called back" in member.instance.log[before:], f"{member.name} did not notice"
    return "killed by its launcher"


def _poison(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Put a record that kills each processor that has it in hand, whoever holds its shard."""
    before = fleet.malformed()["payload_poison"]
    for one in fleet.members:
        one.instance.order(f"payload kill-processor {POISON.decode()}")
    fleet.put(Envelope(f"poison-{rng.random()}", POISON, Truth(payloads=Counter(malformed=1))))
    passed_over = fleet.wait(lambda: fleet.malformed()["payload_poison"] > before, POISON_PATIENCE)
    for one in fleet.members:
        one.instance.fault.unlink(missing_ok=True)
    assert passed_over, "A record that kills is not passed over"
    return "passed over"


def _throttle(fleet: Fleet, member: Member, rng: random.Random) -> str:
    return _gate(fleet, THROTTLED, rng)


def _lose_answers(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Write checkpoints and claims, and answer every other one with an error."""
    return _gate(fleet, FORGETFUL, rng)


def _fail_dynamodb(fleet: Fleet, member: Member, rng: random.Random) -> str:
    return _gate(fleet, FAILING, rng)


def _gate(fleet: Fleet, mode: str, rng: random.Random) -> str:
    seconds = rng.choice(OUTAGES)
    gate = fleet.standins.gate
    gate.failed, gate.mode = 0, mode
    fleet.wait(lambda: False, seconds)
    gate.mode = OPEN
    assert gate.failed, f"The gate has let all through while {mode}"
    return f"for {seconds:g} s"


def _freeze_ec2(fleet: Fleet, member: Member, rng: random.Random) -> str:
    seconds = rng.choice(OUTAGES)
    os.kill(fleet.standins.ec2.pid, signal.SIGSTOP)
    code = _stop(fleet, member)
    member.start()
    fleet.wait(lambda: False, seconds)
    os.kill(fleet.standins.ec2.pid, signal.SIGCONT)
    return f"for {seconds:g} s, with a start of {member.name} (exit {code})"


def _freeze_kinesis(fleet: Fleet, member: Member, rng: random.Random) -> str:
    seconds = rng.choice(OUTAGES)
    # Of a request that is cut off, nobody would know whether it was stored.
    with fleet.putting:
        fleet.standins.freeze("kinesis")
        fleet.wait(lambda: False, seconds)
        fleet.standins.thaw("kinesis")
        fleet.reconnect()
    return f"for {seconds:g} s"


def kept_aside(member: Member) -> set[Path]:
    """Return the damaged ledgers that a member keeps."""
    return set(member.instance.state.glob("ledger.sqlite3.broken-*Z"))


def ledger_of(member: Member) -> Page:
    """Return the totals in a stopped member's ledger, in the form of its page."""
    truth, malformed = Truth(), Counter[str]()
    with Ledger(member.instance.state / "ledger.sqlite3") as ledger:
        totals = ledger.totals()
    for one in totals.traffic:
        truth.add_traffic(Key(*one.series), Sums(one.flows, one.packets, one.bytes))
    for (count, label), number in totals.counts.items():
        if count == counts.EVENTS:
            truth.events[label] += number
        elif count == counts.PAYLOADS:
            truth.payloads[label] += number
        elif count == counts.MALFORMED:
            malformed[label] += number
    return Page(counted=truth, malformed=malformed)


FAULTS = {
    "kill-processor": Fault(3, _kill_processor),
    "kill-daemon": Fault(2, _kill_daemon),
    "kill-launcher": Fault(2, _kill_launcher),
    "kill-all": Fault(3, _kill_all),
    "gap": Fault(4, _die_in_gap),
    "restart": Fault(3, _restart),
    "lose-state": Fault(2, _lose_state),
    "roll": Fault(1, _roll),
    "scale": Fault(2, _scale),
    "scale-to-one": Fault(1, _scale_to_one),
    "zombie": Fault(2, _zombie),
    "hang": Fault(1, _hang),
    "poison": Fault(1, _poison),
    "reshard": Fault(3, _reshard),
    "throttle": Fault(2, _throttle),
    "lose-answers": Fault(2, _lose_answers),
    "fail-dynamodb": Fault(1, _fail_dynamodb),
    "freeze-ec2": Fault(1, _freeze_ec2),
    "freeze-kinesis": Fault(1, _freeze_kinesis),
    "damage-ledger": Fault(1, _damage_ledger),
    "fill-disk": Fault(1, _fill_disk),
    "set-clock": Fault(1, _set_clock),
    "scrape-slowly": Fault(1, _scrape_slowly),
}
