"""Faults of AWS: resharding, throttling, lost answers, services that fail or don't answer."""

from __future__ import annotations

import os
import random
import signal

from tests.fleet.fleet import Fleet
from tests.fleet.gate import FAILING, LOSING_ANSWERS, OPEN, THROTTLING
from tests.fleet.member import Member
from tests.fleet.restart_faults import stop

# Seconds.
OUTAGES = (15.0, 60.0)


def reshard(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Split a shard or merge two."""
    return fleet.reshard(rng)


def throttle_commits(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Refuse checkpoints and claims for a while."""
    return _set_gate(fleet, THROTTLING, rng)


def lose_answers(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Store checkpoints and claims, and answer half of them with an error."""
    return _set_gate(fleet, LOSING_ANSWERS, rng)


def fail_dynamodb(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Answer every request to DynamoDB with an error for a while."""
    return _set_gate(fleet, FAILING, rng)


def freeze_ec2(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Let EC2 answer nothing for a while, and restart an instance in that time."""
    seconds = rng.choice(OUTAGES)
    os.kill(fleet.standins.ec2.pid, signal.SIGSTOP)
    code = stop(fleet, member)
    member.start()
    fleet.pause(seconds)
    os.kill(fleet.standins.ec2.pid, signal.SIGCONT)
    return f"for {seconds:g} s, with a start of {member.name} (exit {code})"


def freeze_kinesis(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Let Kinesis answer nothing for a while."""
    seconds = rng.choice(OUTAGES)
    # Nothing is put in that time: nobody could tell whether a request without an answer was stored.
    with fleet.putting:
        fleet.standins.freeze("kinesis")
        fleet.pause(seconds)
        fleet.standins.thaw("kinesis")
        fleet.reconnect()
    return f"for {seconds:g} s"


def _set_gate(fleet: Fleet, mode: str, rng: random.Random) -> str:
    seconds = rng.choice(OUTAGES)
    gate = fleet.standins.gate
    gate.failed, gate.mode = 0, mode
    fleet.pause(seconds)
    gate.mode = OPEN
    assert gate.failed, f"The gate has failed no request while {mode}"
    return f"for {seconds:g} s"
