"""Simulate: `make simulate ARGS='--minutes 10'`, or `ARGS='--seed N'` for one schedule again.

Draws schedules until the time is over. A schedule that breaks a promise is cut down and told; the exit code is 1 then.
With `--reverts`, takes back each mend in turn, and shows how long it takes until its hole is found again.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.simulation.draws import WEIGHTS
from tests.simulation.reverts import REVERTS, reverted
from tests.simulation.schedule import Player, Schedule, kind_of, player, told
from tests.simulation.shrink import shrink

_LENGTH = 60
_PROGRESS_SECONDS = 10.0


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to draw schedules (default: 1)")
    parser.add_argument("--seed", type=int, help="only this schedule")
    parser.add_argument("--first-seed", type=int, default=0, help="the first seed, if none is given (default: 0)")
    parser.add_argument("--length", type=int, default=_LENGTH, help=f"draws of a schedule (default: {_LENGTH})")
    parser.add_argument("--keep-going", action="store_true", help="go on after a broken promise")
    parser.add_argument(
        "--without",
        default="",
        metavar="KINDS",
        help=f"what not to draw, separated by commas: now (the initial position), {', '.join(WEIGHTS)}, or a fate",
    )
    parser.add_argument("--revert", default="", choices=["", *REVERTS], metavar="MEND", help=", ".join(REVERTS))
    parser.add_argument("--reverts", action="store_true", help="take back each mend in turn, and print a table")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with player() as stage:
        if options.reverts:
            return _run_all_reverts(stage, options)
        with reverted(options.revert):
            return _run(stage, options)


def _run(stage: Player, options: argparse.Namespace) -> int:
    without = frozenset(options.without.split(","))
    began = reported = time.monotonic()
    seed = first = options.first_seed if options.seed is None else options.seed
    broken = 0
    while True:
        schedule, error = stage.draw(seed, options.length, without)
        if error is not None:
            broken += 1
            _tell(stage, seed, schedule, error)
        seed += 1
        now = time.monotonic()
        is_over = options.seed is not None or now - began > options.minutes * 60
        if now - reported > _PROGRESS_SECONDS or is_over:
            reported = now
            print(f"{seed - first} schedules, {stage.steps} steps, {now - began:.0f} s, seed {seed - 1}", flush=True)
        if is_over or (broken and not options.keep_going):
            return 1 if broken else 0


def _run_all_reverts(stage: Player, options: argparse.Namespace) -> int:
    """Search for each hole until it is found, `--minutes` of processor time at most; return the exit code."""
    print(f"{'mend taken back':20} {'schedules':>9} {'seconds':>7} {'steps':>5}  found")
    missed = 0
    for name in REVERTS:
        with reverted(name):
            began, seed = time.process_time(), options.first_seed
            schedule, error = stage.draw(seed, options.length)
            while error is None and time.process_time() - began < options.minutes * 60:
                seed += 1
                schedule, error = stage.draw(seed, options.length)
            seconds = time.process_time() - began
            small = _cut_down(stage, schedule, error) if error is not None else schedule
        missed += error is None
        steps, found = (len(small.steps), str(error)) if error is not None else ("", "nothing")
        print(f"{name:20} {seed - options.first_seed + 1:9} {seconds:7.1f} {steps:>5}  {found}", flush=True)
    return 1 if missed else 0


def _cut_down(stage: Player, schedule: Schedule, error: Exception) -> Schedule:
    kind = kind_of(error)
    return shrink(schedule, lambda candidate: kind_of(stage.play(candidate)) == kind)


def _tell(stage: Player, seed: int, schedule: Schedule, error: Exception) -> None:
    small = _cut_down(stage, schedule, error)
    print(f"Seed {seed}: {error}")
    print(f"Cut down from {len(schedule.steps)} steps to {len(small.steps)}, {small.setting}: {stage.play(small)}")
    print("\n".join(told(small.steps)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
