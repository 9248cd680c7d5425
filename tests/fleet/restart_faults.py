"""Orderly stops and starts, with and without the state directory."""

from __future__ import annotations

import random
import time

from kcl_flowlog.processor.faults import FOLDED
from tests.fleet.errors import NothingDone
from tests.fleet.fleet import PATIENCE, STEP_PATIENCE, Fleet, difference
from tests.fleet.member import LEDGER_PAGE, Member
from tests.support.instance import is_alive


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


def damage_page_after_fold(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Kill all processes of an instance right after a fold, and damage a page of its ledger before its next start."""
    member.should_run = False
    try:
        return _die_and_damage(fleet, member, rng)
    finally:
        member.instance.fault.unlink(missing_ok=True)
        member.should_run = True


def _die_and_damage(fleet: Fleet, member: Member, rng: random.Random) -> str:
    processes = member.instance.processes()
    member.instance.order(f"{FOLDED} kill-all")
    if not fleet.wait(lambda: not member.instance.is_running, STEP_PATIENCE):
        raise NothingDone("no commit got to a fold")
    assert fleet.wait(lambda: not any(map(is_alive, processes))), f"{member.name} leaves processes behind"
    # An answer that the instance gave before its death may be on its way.
    tries = fleet.scraper.tries[member.name]
    assert fleet.wait(lambda: fleet.scraper.tries[member.name] >= tries + 2)
    shown = fleet.scraper.last(member.name)
    # Reading moves the write-ahead log into the ledger; newer copies of pages there would hide the damage.
    totals = member.ledger_totals()
    if member.prepared_commits():
        raise NothingDone("a damage would take along commits that are not folded, and nobody would know their size")
    before = member.damaged_ledgers()
    member.damage_page(rng)
    member.start()
    assert fleet.wait(member.is_up), f"{member.name} does not come up with a damaged page"
    if member.damaged_ledgers() == before:
        return "not noticed: the page was not in use"
    member.lost_totals.append(totals)
    fleet.unseen.append(difference(totals.counted, shown))
    return "kept aside"


def stop(fleet: Fleet, member: Member) -> int:
    """Stop an instance in order; return its exit code."""
    member.request_stop()
    assert fleet.wait(lambda: not member.instance.is_running), f"{member.name} does not stop"
    code = member.instance.exit_code()
    assert code == 0, f"{member.name} stopped with {code}"
    return code
