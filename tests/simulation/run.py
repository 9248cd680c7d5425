"""Simulate: `make simulate ARGS='--minutes 10'`, or `ARGS='--seed N'` for one schedule again.

Draws schedules until the time is over. A schedule that breaks a promise is cut down and told; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.simulation.draws import WEIGHTS
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
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with player() as stage:
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


def _tell(stage: Player, seed: int, schedule: Schedule, error: Exception) -> None:
    kind = kind_of(error)
    small = shrink(schedule, lambda candidate: kind_of(stage.play(candidate)) == kind)
    print(f"Seed {seed}: {error}")
    print(f"Cut down from {len(schedule.steps)} steps to {len(small.steps)}, {small.setting}: {stage.play(small)}")
    print("\n".join(told(small.steps)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
