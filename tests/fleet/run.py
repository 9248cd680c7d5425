"""A fleet under faults: `make fleet ARGS='--seed 1 --minutes 10 --instances 3'`.

Real instances on one stream; faults drawn from a seed, or those named; exact books of what was put. In the end the
ledgers' totals, and the increases that a Prometheus sees, have to equal what was put, to the last digit, or be more by
exactly the commits that the logs name as undecided. Ends with 0 if so and if nothing of the fleet is left, else with 1.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path

from kcl_flowlog.demo.truth import Sums
from tests.fleet.faults import FAULTS, NothingDone
from tests.fleet.fleet import STOP_PATIENCE, Fleet, difference
from tests.fleet.standins import StandIns
from tests.support.balance import imbalances
from tests.support.demo_fakes import eventually

# A dead leader's lock holds for two minutes, and only a leader hands out shards.
FLOW_PATIENCE = 240.0
FIRST_PATIENCE = 180.0


class Clock:
    """Says what happens, with the seconds since the start."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    @property
    def now(self) -> float:
        return time.monotonic() - self._begin

    def say(self, text: str) -> None:
        print(f"{self.now:7.1f} s  {text}", flush=True)


def run(asked: argparse.Namespace, directory: Path, clock: Clock) -> bool:
    """Run the fleet; say whether all is equal."""
    rng = random.Random(asked.seed)
    clock.say(f"seed {asked.seed}, {asked.instances} instances, {asked.minutes:g} minutes")
    flowing: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        standins = stack.enter_context(StandIns(directory, random.Random(asked.seed)))
        fleet = Fleet(standins, directory, asked.instances, asked.rate, asked.seed)
        stack.callback(fleet.remove_disks)
        try:
            fleet.scraper.start()
            for member in fleet.members:
                member.start()
            fleet.producer.start()
            begin = time.time()
            if not fleet.wait(lambda: fleet.flows_since(begin), FIRST_PATIENCE):
                clock.say("Records never began to flow.")
                return False
            clock.say("records flow on every shard")
            ok = _faults(asked, fleet, rng, clock, flowing) and _verdict(fleet, clock)
            ok = _stops(fleet, clock) and ok
        except AssertionError as error:
            clock.say(f"FAILED: {error}")
            ok = False
        finally:
            fleet.kill()
            fleet.scraper.stop()
            fleet.producer.stop()
        eventually(lambda: not fleet.left_over(ok), 5)
        left = fleet.left_over(ok)
    for command in left:
        clock.say(f"left over: {command}")
    _table(flowing, clock)
    return ok and not left


def _faults(
    asked: argparse.Namespace, fleet: Fleet, rng: random.Random, clock: Clock, flowing: dict[str, list[float]]
) -> bool:
    end = time.monotonic() + asked.minutes * 60
    names = asked.fault or list(FAULTS)
    weights = [FAULTS[name].weight for name in names]
    queue = list(asked.fault) * asked.rounds if asked.rounds else None
    while queue if queue is not None else time.monotonic() < end:
        name = queue.pop(0) if queue is not None else rng.choices(names, weights)[0]
        member = rng.choice(fleet.members)
        began = time.time()
        try:
            said = FAULTS[name].do(fleet, member, rng)
        except NothingDone as reason:
            clock.say(f"{name} {member.name}: nothing done, {reason}")
            fleet.wait(lambda: False, 1)
            continue
        over = time.time()
        clock.say(f"{name} {member.name}{': ' + said if said else ''}, took {over - began:.1f} s")
        if not fleet.wait(lambda since=over: fleet.flows_since(since), FLOW_PATIENCE):
            clock.say(f"Records did not flow again within {FLOW_PATIENCE:g} s.")
            return False
        flowing[name].append(time.time() - over)
        clock.say(f"    records flow on every shard again after {flowing[name][-1]:.1f} s")
        fleet.wait(lambda: False, rng.uniform(1, 8))
    return True


def _verdict(fleet: Fleet, clock: Clock) -> bool:
    fleet.producer.stop()
    truth = fleet.truth()
    clock.say(f"put: {truth.sum_where(lambda key: True)}, events {dict(truth.events)}")
    fleet.wait(lambda: fleet.totals() == truth and fleet.scraper.seen().traffic == truth.traffic, FLOW_PATIENCE)
    # A record that is counted twice would show by now.
    fleet.wait(lambda: False, 10)
    totals, seen = fleet.totals(), fleet.scraper.seen()
    undecided = fleet.undecided_sums()
    clock.say(f"undecided commits: {[tuple(one) for one in undecided]}")
    ok = True
    for name, counted in (("ledgers", totals), ("increase()", seen)):
        if counted.traffic == truth.traffic and (name != "ledgers" or counted == truth):
            clock.say(f"{name}: equal to the last digit")
            continue
        more = difference(truth, counted)
        is_explained = any(
            more == _sum(some) for number in range(1, 1 + len(undecided)) for some in combinations(undecided, number)
        )
        clock.say(f"{name}: more by {tuple(more)}, {'exactly undecided commits' if is_explained else 'UNEXPLAINED'}")
        ok = ok and is_explained
    flows = totals.sum_where(lambda key: True).flows
    wrong = imbalances(
        totals.events, totals.payloads, fleet.malformed(), flows, sum(truth.events.values()) if not undecided else None
    )
    for claim in wrong:
        clock.say(f"the books don't balance: {claim}")
    return ok and not wrong


def _sum(several: Iterable[Sums]) -> Sums:
    made = Sums()
    for one in several:
        made = made.plus(one)
    return made


def _stops(fleet: Fleet, clock: Clock) -> bool:
    codes = []
    for member in fleet.members:
        member.wanted = False
        member.instance.ask_to_stop()
    for member in fleet.members:
        eventually(lambda one=member: not one.instance.is_running, STOP_PATIENCE)
        codes.append(member.instance.stop())
    clock.say(f"stopped: {codes}; restarted by the orchestrator: {[member.restarts for member in fleet.members]}")
    return not any(codes)


def _table(flowing: dict[str, list[float]], clock: Clock) -> None:
    print(f"\n{'fault':16} {'times':>5} {'median s':>9} {'worst s':>8}")
    for name, seconds in sorted(flowing.items()):
        print(f"{name:16} {len(seconds):5} {statistics.median(seconds):9.1f} {max(seconds):8.1f}")
    print(flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="seed of the faults and of the traffic (default: 1)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long faults go on (default: 10)")
    parser.add_argument("--instances", type=int, default=3, help="instances of the fleet (default: 3)")
    parser.add_argument("--rate", type=float, default=200.0, help="flow records put a second (default: 200)")
    parser.add_argument("--fault", action="append", choices=tuple(FAULTS), help="only this one; may be repeated")
    parser.add_argument(
        "--rounds", type=int, default=0, help="in place of minutes: each --fault so many times, in turn"
    )
    parser.add_argument("--keep", action="store_true", help="keep the directory with all logs also when all is well")
    asked = parser.parse_args()
    if asked.rounds and not asked.fault:
        parser.error("--rounds needs --fault")
    directory = Path(tempfile.mkdtemp(prefix="kcl-flowlog-fleet-"))
    clock = Clock()
    ok = run(asked, directory, clock)
    if ok and not asked.keep:
        shutil.rmtree(directory)
    else:
        clock.say(f"the logs are in {directory}")
    clock.say("as promised" if ok else "NOT AS PROMISED")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
