"""Faults of what is on the stream: payloads that come again."""

from __future__ import annotations

import random
import time
from collections import Counter

from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.tally import NOTHING, Sums, Tally
from tests.fleet.fleet import Fleet
from tests.fleet.member import Member

RECORDS = 50


def deliver_again(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Put payloads, perhaps kill an instance once they are read, and put the same payloads again.

    A copy is recognised if the same instance reads it from the same shard.
    """
    envelopes = fleet.new_envelopes(RECORDS)
    shards = _put(fleet, envelopes)
    for envelope in envelopes:
        fleet.expect(envelope.tally)
    before = fleet.holders()
    is_killed = rng.random() < 0.5
    if is_killed:
        member.instance.kill()
        _await_records(fleet)
    shards_of_copies = _put(fleet, envelopes)
    after = fleet.holders()
    recognised = 0
    doubtful: dict[str, Sums] = {}
    for envelope, shard, shard_of_copy in zip(envelopes, shards, shards_of_copies, strict=True):
        if shard != shard_of_copy:
            fleet.expect(envelope.tally)
            continue
        fleet.expect(_as_copy(envelope))
        recognised += 1
        if before.get(shard) != after.get(shard):
            doubtful[shard] = doubtful.get(shard, NOTHING).plus(envelope.tally.sum_of_all())
    fleet.doubtful += doubtful.values()
    return f"{recognised} copies, {'a kill in between, ' if is_killed else ''}{len(doubtful)} shards in doubt"


def _put(fleet: Fleet, envelopes: list[Envelope]) -> list[str]:
    """Put envelopes and wait until every shard is read past them; return their shards."""
    shards = [fleet.put_on_shard(envelope) for envelope in envelopes]
    _await_records(fleet)
    return shards


def _await_records(fleet: Fleet) -> None:
    now = time.time()
    assert fleet.wait(lambda: fleet.flows_since(now)), "Records do not flow on every shard"


def _as_copy(envelope: Envelope) -> Tally:
    return Tally(events=Counter(duplicate=sum(envelope.tally.events.values())), payloads=Counter(duplicate=1))
