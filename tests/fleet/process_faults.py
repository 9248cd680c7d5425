"""Faults of processes: they die, pause, hang, or die of a record."""

from __future__ import annotations

import random
import signal
from collections import Counter

import psutil

from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.tally import Tally
from kcl_flowlog.processor.faults import GAPS
from tests.fleet.errors import NothingDone
from tests.fleet.fleet import STEP_PATIENCE, Fleet
from tests.fleet.member import STUCK_AFTER, Member, signal_all
from tests.support.instance import is_alive

# Seconds. All are shorter than STUCK_AFTER.
PAUSES = (20.0, 60.0)
POISON = b"arsenic in the payload"


def kill_processor(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Kill one processor."""
    signal_all([_any_processor(member, rng)], signal.SIGKILL)
    return ""


def kill_daemon(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Kill the MultiLangDaemon."""
    daemon = member.instance.daemon()
    if daemon is None:
        raise NothingDone("no daemon is running")
    signal_all([daemon], signal.SIGKILL)
    return ""


def kill_launcher(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Kill the launcher."""
    member.instance.kill_launcher()
    return ""


def kill_all(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Kill all processes of the instance together."""
    member.instance.kill()
    return ""


def die_between_two_steps(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Kill a process between two steps of the commit protocol."""
    gap, victim = rng.choice(list(GAPS)), rng.choice(("processor", "daemon", "all"))
    member.instance.order(f"{gap} kill-{victim}")
    happened = fleet.wait(lambda: not member.instance.fault.exists(), STEP_PATIENCE)
    member.instance.fault.unlink(missing_ok=True)
    if not happened:
        raise NothingDone(f"no commit got to {gap} ({victim})")
    return f"{gap}, {victim}"


def pause_processes(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Stop daemon and processors for a while, so that they wake up as owners of leases that they have lost."""
    daemon = member.instance.daemon()
    return _pause([*([daemon] if daemon else []), *member.instance.processors()], fleet, rng)


def pause_launcher(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Stop the launcher alone for a while."""
    return _pause(_all_processes(member)[:1], fleet, rng)


def pause_instance(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Stop launcher, daemon and processors for a while, as a machine that is suspended does."""
    return _pause(_all_processes(member), fleet, rng)


def _pause(processes: list[psutil.Process], fleet: Fleet, rng: random.Random) -> str:
    seconds = rng.choice(PAUSES)
    signal_all(processes, signal.SIGSTOP)
    try:
        fleet.pause(seconds)
    finally:
        signal_all(processes, signal.SIGCONT)
    return f"{len(processes)} processes for {seconds:g} s"


def _all_processes(member: Member) -> list[psutil.Process]:
    try:
        return member.instance.processes()
    except psutil.NoSuchProcess as error:
        raise NothingDone("the launcher does not run") from error


def hang_processor(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Stop one processor for good. Only its launcher can notice that."""
    processor = _any_processor(member, rng)
    signal_all([processor], signal.SIGSTOP)
    assert fleet.wait(lambda: not is_alive(processor)), f"{member.name} lets a processor hang for over {STUCK_AFTER} s"
    return "killed by its launcher"


def put_poison(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Put a record that kills every processor that counts it, whichever instance holds its shard."""
    before = fleet.malformed()["payload_poison"]
    for each in fleet.members:
        each.instance.order(f"payload kill-processor {POISON.decode()}")
    fleet.put(Envelope(f"poison-{rng.random()}", POISON, Tally(payloads=Counter(malformed=1))))
    is_skipped = fleet.wait(lambda: fleet.malformed()["payload_poison"] > before)
    for each in fleet.members:
        each.instance.fault.unlink(missing_ok=True)
    assert is_skipped, "A record that kills is not skipped"
    return "skipped"


def _any_processor(member: Member, rng: random.Random) -> psutil.Process:
    processors = member.instance.processors()
    if not processors:
        raise NothingDone("no processor is running")
    return rng.choice(processors)
