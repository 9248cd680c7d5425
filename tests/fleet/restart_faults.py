"""Orderly stops and starts, with and without the state directory."""

from __future__ import annotations

import random
import time

from tests.fleet.fleet import PATIENCE, Fleet
from tests.fleet.member import Member

LEDGER_PAGE = 4096


def restart(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Stop an instance and start it again."""
    code = stop(fleet, member)
    member.start()
    return f"exit {code}"


def restart_without_state(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Stop an instance and start it on an empty state directory."""
    code = stop(fleet, member)
    member.lose_state()
    member.start()
    return f"exit {code}"


def roll(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Restart all instances without their state, one after the other, as an orchestrator rolls out a version."""
    codes = []
    for each in fleet.members:
        codes.append(f"{each.name} {restart_without_state(fleet, each, rng)}")
        assert fleet.wait(each.is_up), f"{each.name} does not come up again"
    return ", ".join(codes)


def scale_down_and_up(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Stop an instance and start it later."""
    code = stop(fleet, member)
    fleet.pause(rng.uniform(10, 30))
    member.start()
    return f"exit {code}"


def scale_to_one(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Leave one instance alone with all shards, then start the others again."""
    others = [other for other in fleet.members if other is not member]
    for other in others:
        stop(fleet, other)
    alone = time.time()
    flows = fleet.wait(lambda: fleet.flows_since(alone))
    took = time.time() - alone
    assert flows, f"{member.name} alone does not read every shard within {PATIENCE:g} s"
    for other in others:
        other.start()
    return f"alone after {took:.0f} s"


def damage_ledger(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Damage the ledger between a stop and a start."""
    code = stop(fleet, member)
    before = member.damaged_ledgers()
    member.damage_ledger(rng.randbytes(LEDGER_PAGE))
    member.start()
    assert fleet.wait(lambda: member.damaged_ledgers() > before), f"{member.name} does not keep its damaged ledger"
    return f"exit {code}, kept aside"


def stop(fleet: Fleet, member: Member) -> int:
    """Stop an instance in order; return its exit code."""
    member.request_stop()
    assert fleet.wait(lambda: not member.instance.is_running), f"{member.name} does not stop"
    code = member.instance.exit_code()
    assert code == 0, f"{member.name} stopped with {code}"
    return code
