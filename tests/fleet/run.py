"""A fleet under faults: `make fleet ARGS='--seed 1 --minutes 10 --instances 3'`.

Runs real instances on one stream and inflicts faults, drawn from a seed or named. In the end the totals of the ledgers,
and the increases that a Prometheus sees, have to equal what was put, or exceed it by exactly the commits that the logs
call undecided. Exits with 0 if they do and nothing of the fleet is left on the machine, else with 1.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, repeat
from pathlib import Path

from tests.fleet.errors import NothingDone
from tests.fleet.faults import FAULTS
from tests.fleet.fleet import PATIENCE, Fleet
from tests.fleet.report import Report, print_recovery_times
from tests.fleet.standins import StandIns
from tests.fleet.verdict import is_exact
from tests.support.waiting import eventually


def run(options: argparse.Namespace, directory: Path, report: Report) -> bool:
    """Run the fleet; tell whether everything is as promised."""
    report.say(f"seed {options.seed}, {options.instances} instances, {options.minutes:g} minutes")
    recovery_times: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        standins = stack.enter_context(StandIns(directory))
        position = ("--initial-position", options.initial_position)
        fleet = Fleet(standins, directory, options.instances, options.rate, options.seed, position)
        stack.callback(fleet.remove_disks)
        try:
            has_started = _start(fleet, report)
            ok = has_started and _inflict_faults(options, fleet, report, recovery_times)
            ok = has_started and is_exact(fleet, report) and ok
            ok = _stop(fleet, report) and ok
        except AssertionError as error:
            report.say(f"FAILED: {error}")
            ok = False
        finally:
            fleet.kill()
            fleet.scraper.stop()
            fleet.producer.stop()
        is_clean = eventually(lambda: not fleet.leftovers(ok))
        for leftover in fleet.leftovers(ok):
            report.say(f"left over: {leftover}")
    print_recovery_times(recovery_times)
    return ok and is_clean


def _start(fleet: Fleet, report: Report) -> bool:
    """Start everything; tell whether records flow on every shard."""
    fleet.scraper.start()
    for member in fleet.members:
        member.start()
    # With --initial-position now, what was put before the application's first start does not count.
    if not fleet.wait(lambda: any(member.instance.page() for member in fleet.members)):
        report.say("No instance answers.")
        return False
    fleet.producer.start()
    return _await_records(fleet, time.time(), report) is not None


def _inflict_faults(
    options: argparse.Namespace, fleet: Fleet, report: Report, recovery_times: dict[str, list[float]]
) -> bool:
    """Inflict one fault after the other; tell whether the product reacted to each as it has to."""
    rng = random.Random(options.seed)
    ok = True
    for name in _names(options, rng):
        member = rng.choice(fleet.members)
        began = time.time()
        try:
            deed = FAULTS[name].inflict(fleet, member, rng)
        except NothingDone as reason:
            report.say(f"{name} {member.name}: nothing done, {reason}")
            fleet.pause(1)
            continue
        except AssertionError as error:
            # Go on, for the sake of the comparison at the end.
            deed, ok = f"FAILED, {error}", False
            fleet.restart_stopped()
        ended = time.time()
        report.say(f"{name} {member.name}{': ' + deed if deed else ''}, took {ended - began:.1f} s")
        recovery_time = _await_records(fleet, ended, report)
        if recovery_time is None:
            return False
        recovery_times[name].append(recovery_time)
        fleet.pause(rng.uniform(1, 8))
    return ok


def _names(options: argparse.Namespace, rng: random.Random) -> Iterator[str]:
    """Yield the names of the faults: as often as `--rounds` says, or drawn until the time is over."""
    if options.rounds:
        yield from chain.from_iterable(repeat(options.fault, options.rounds))
        return
    names = options.fault or list(FAULTS)
    weights = [FAULTS[name].weight for name in names]
    end = time.monotonic() + options.minutes * 60
    while time.monotonic() < end:
        yield rng.choices(names, weights)[0]


def _await_records(fleet: Fleet, since: float, report: Report) -> float | None:
    """Wait until records that arrived after `since` are counted on every shard; return the seconds that took."""
    if not fleet.wait(lambda: fleet.flows_since(since)):
        report.say(f"Records do not flow on every shard within {PATIENCE:g} s.")
        return None
    took = time.time() - since
    report.say(f"    records flow on every shard after {took:.1f} s")
    return took


def _stop(fleet: Fleet, report: Report) -> bool:
    """Stop all members in order; tell whether all end with exit code 0."""
    for member in fleet.members:
        member.request_stop()
    codes = [member.instance.exit_code() for member in fleet.members]
    report.say(f"stopped: {codes}; restarted by the orchestrator: {[member.restarts for member in fleet.members]}")
    return not any(codes)


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fleet.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the faults and of the traffic (default: 1)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to inflict faults (default: 10)")
    parser.add_argument("--instances", type=int, default=3, help="number of instances (default: 3)")
    parser.add_argument("--rate", type=float, default=200.0, help="flow records per second (default: 200)")
    parser.add_argument(
        "--initial-position", choices=("trim-horizon", "now"), default="trim-horizon", help="where the instances begin"
    )
    parser.add_argument("--fault", action="append", choices=tuple(FAULTS), help="only this fault; repeatable")
    parser.add_argument("--rounds", type=int, default=0, help="inflict each --fault this often, instead of --minutes")
    parser.add_argument("--keep", action="store_true", help="keep the logs even if everything is as promised")
    options = parser.parse_args()
    if options.rounds and not options.fault:
        parser.error("--rounds needs --fault")
    directory = Path(tempfile.mkdtemp(prefix="kcl-flowlog-fleet-"))
    report = Report()
    ok = run(options, directory, report)
    if ok and not options.keep:
        shutil.rmtree(directory)
    else:
        report.say(f"the logs are in {directory}")
    report.say("as promised" if ok else "NOT AS PROMISED")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
