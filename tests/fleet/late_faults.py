"""Requests to DynamoDB that arrive late, or whose answers do."""

from __future__ import annotations

import random
import threading

from tests.fleet import rules
from tests.fleet.errors import NothingDone
from tests.fleet.fleet import STEP_PATIENCE, Fleet
from tests.fleet.gate import Request
from tests.fleet.laying import laid
from tests.fleet.member import Member

# Seconds that requests are held, and that the fault lasts.
DELAYS = (1.0, 60.0)
DURATION = 75.0
# Until a claim comes, its processor has to start; an instance that gets no shard makes none.
CLAIM_PATIENCE = 120.0
# Of the writes to lease rows.
SHARE = 0.2


def delay_writes(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Hold some checkpoints, claims and renewals of all instances, or their answers, for up to a minute."""

    def is_held(request: Request) -> bool:
        return (request.is_commit or request.is_renewal) and rng.random() < SHARE

    gates = [each.gates.dynamodb for each in fleet.members]
    with laid(gates, rules.hold(rng, is_held, DELAYS)) as requests:
        fleet.pause(DURATION)
        assert requests(), "No write to a lease row has come to a gate"
        return f"{requests()} requests"


def deliver_checkpoint_late(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Hold one checkpoint of an instance, perhaps kill the instance, and deliver it up to a minute later."""
    return _deliver_late(fleet, member, rng, lambda request: request.is_checkpoint, "checkpoint")


def deliver_claim_late(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Hold one claim of an instance, perhaps kill the instance, and deliver it up to a minute later."""
    member.instance.kill()
    return _deliver_late(fleet, member, rng, lambda request: request.is_claim, "claim", CLAIM_PATIENCE)


def deliver_renewal_late(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Hold one renewal of a lease, perhaps kill the instance, and deliver it up to a minute later."""
    return _deliver_late(fleet, member, rng, lambda request: request.is_renewal, "renewal")


def _deliver_late(
    fleet: Fleet,
    member: Member,
    rng: random.Random,
    is_held: rules.IsHeld,
    name: str,
    patience: float = STEP_PATIENCE,
) -> str:
    arrived = threading.Event()
    victim = rng.choice(("nobody", "processors", "all"))
    seconds = rng.uniform(*DELAYS)
    with laid([member.gates.dynamodb], rules.hold_first(is_held, arrived)):
        if not fleet.wait(arrived.is_set, patience):
            raise NothingDone(f"no {name} comes")
        if victim == "all":
            member.instance.kill()
        elif victim == "processors":
            for processor in member.instance.processors():
                processor.kill()
        fleet.pause(seconds)
    return f"{name}, killed: {victim}, late by {seconds:.0f} s"
