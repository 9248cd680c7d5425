"""Faults of AWS: resharding, throttling, lost answers, services that fail or don't answer."""

from __future__ import annotations

import os
import random
import signal

from tests.fleet import rules
from tests.fleet.errors import NothingDone
from tests.fleet.fleet import Fleet
from tests.fleet.gate import Gate, Rule
from tests.fleet.laying import laid
from tests.fleet.member import Member
from tests.fleet.restart_faults import stop

# Seconds.
OUTAGES = (15.0, 60.0)


def reshard(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Split a shard or merge two."""
    return fleet.reshard(rng)


def throttle_commits(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Refuse checkpoints and claims for a while."""
    return _disturb_dynamodb(fleet, rules.throttle_commits, rng)


def lose_answers(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Store checkpoints and claims, and answer half of them with an error."""
    return _disturb_dynamodb(fleet, rules.lose_answers(rng), rng)


def fail_dynamodb(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Answer every request to DynamoDB with an error for a while."""
    return _disturb_dynamodb(fleet, rules.fail_all, rng)


def silence_dynamodb(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Let DynamoDB answer nothing for a while; half of the requests arrive afterwards."""
    return _disturb_dynamodb(fleet, rules.silence(rng), rng)


def fail_reads(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Answer half of all GetRecords with an error for a while."""
    seconds = rng.choice(OUTAGES)
    with laid([each.gates.kinesis for each in fleet.members], rules.fail_reads(rng)) as requests:
        fleet.pause(seconds)
        assert requests(), "No GetRecords has come to a gate"
    return f"for {seconds:g} s"


def cut_off_from_dynamodb(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Let DynamoDB answer nothing to one instance, while the others get their answers."""
    return _cut_off(fleet, member.gates.dynamodb, rng)


def cut_off_from_kinesis(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Let Kinesis answer nothing to one instance, while the others get their answers."""
    return _cut_off(fleet, member.gates.kinesis, rng)


def _cut_off(fleet: Fleet, gate: Gate, rng: random.Random) -> str:
    seconds = rng.choice(OUTAGES)
    with laid([gate], rules.silence(rng)) as requests:
        fleet.pause(seconds)
        if not requests():
            raise NothingDone("it has asked nothing")
    return f"for {seconds:g} s"


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


def _disturb_dynamodb(fleet: Fleet, rule: Rule, rng: random.Random) -> str:
    seconds = rng.choice(OUTAGES)
    with laid([member.gates.dynamodb for member in fleet.members], rule) as requests:
        fleet.pause(seconds)
        assert requests(), "No request has come to a gate that the fault concerns"
    return f"for {seconds:g} s"
