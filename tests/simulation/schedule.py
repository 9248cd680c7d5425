"""Schedules: lists of steps, drawn at random from a seed, played, and told as a story."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.simulation.dynamodb import READ_FATES, WRITE_FATES
from tests.simulation.instance import Databases, replaced
from tests.simulation.invariant import Violation, check
from tests.simulation.kcl import TABLE
from tests.simulation.simulation import DAY, NAMES, Simulation

Step = tuple[Any, ...]
"""The name of a step and its arguments."""

_PAUSES = (
    *("before claim", "after claim", "before read", "after read", "waiting for claim"),
    *("before checkpoint", "after checkpoint", "waiting for checkpoint", "next callback"),
    *("before prepare", "before fold", "before abandon", "before settle", "before holding", "before noting a refusal", "sleeping"),
    *("before get lease", "after get lease", "before renew", "after renew", "waiting for renew"),
    "before the shard's end",
)
_WRITES = ("checkpoint", "claim", "renew")
_READS = ("read", "get lease")


class Setting(NamedTuple):
    """How the fleet of a schedule is set up."""

    initial_position: str = "trim-horizon"
    interval: float = 0.0


class Schedule(NamedTuple):
    """A setting and the steps."""

    setting: Setting
    steps: tuple[Step, ...]


class Player:
    """Plays schedules, one after another, in a temporary directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._databases = Databases()
        self.steps = 0

    def play(self, schedule: Schedule) -> Exception | None:
        """Play a schedule to its quiet end; return what is wrong, None if nothing."""
        simulation = Simulation(self._folder, self._databases, *schedule.setting)
        try:
            for name, *arguments in schedule.steps:
                getattr(simulation, f"do_{name}")(*arguments)
                self.steps += 1
            check(simulation)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the schedule has found
            return error
        finally:
            simulation.end()
            self._databases.clear()
        return None

    def draw(
        self, seed: int, length: int = 60, without: frozenset[str] = frozenset()
    ) -> tuple[Schedule, Exception | None]:
        """Draw a schedule step by step, and play it meanwhile; return it with what is wrong.

        `without` names steps and fates that are not drawn, and `now`, the initial position.
        """
        choices = random.Random(seed)
        positions = ("trim-horizon",) if "now" in without else ("trim-horizon", "now")
        setting = Setting(choices.choice(positions), choices.choice((0.0, 30.0)))
        simulation = Simulation(self._folder, self._databases, *setting)
        steps: list[Step] = []
        try:
            for _ in range(length):
                for step in _draw_steps(choices, simulation):
                    self.steps += 1
                    if without.intersection(map(str, step)):
                        continue
                    steps.append(step)
                    if not getattr(simulation, f"do_{step[0]}")(*step[1:]):
                        steps.pop()
            check(simulation)
        except Exception as error:  # noqa: BLE001 - as above
            return Schedule(setting, tuple(steps)), error
        finally:
            simulation.end()
            self._databases.clear()
        return Schedule(setting, tuple(steps)), None


@contextmanager
def player() -> Iterator[Player]:
    """Yield a player; its directory is in memory if the machine has such a place."""
    shared_memory = Path("/dev/shm")
    place = shared_memory if shared_memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="kcl-flowlog-", dir=place) as folder:
        stage = Player(Path(folder))
        with replaced(stage._databases):
            yield stage


# How often each step is drawn, and its arguments.
_Arguments = Callable[[random.Random, Simulation], Step]


def _shard(choices: random.Random, simulation: Simulation) -> str:
    return choices.choice(list(simulation.stream.shards))


def _until(choices: random.Random) -> tuple[str, ...]:
    return (choices.choice(_PAUSES),) if choices.random() < 0.35 else ()


def _name(choices: random.Random, simulation: Simulation) -> str:
    running = [instance.name for instance in simulation.instances.values() if instance.is_running]
    return choices.choice(running or NAMES)


def _any_name(choices: random.Random, simulation: Simulation) -> str:
    return choices.choice(NAMES)


def _draw_fate(choices: random.Random, simulation: Simulation) -> Step:
    if choices.random() < 0.1:
        return ("fate", "leader", "assign", choices.choice(WRITE_FATES))
    if choices.random() < 0.25:
        return ("fate", _name(choices, simulation), choices.choice(_READS), choices.choice(READ_FATES))
    return ("fate", _name(choices, simulation), choices.choice(_WRITES), choices.choice(WRITE_FATES))


def _draw_land(choices: random.Random, simulation: Simulation) -> Step:
    late = simulation.world.dynamodb.late
    if not late:
        return _draw_fate(choices, simulation)
    request = choices.choice(late)
    return ("land", request.sender, request.kind)


def _draw_takeover(choices: random.Random, simulation: Simulation) -> Step:
    return ("give", _shard(choices, simulation), _name(choices, simulation))


def _draw_leap(choices: random.Random, simulation: Simulation) -> Step:
    return ("leap", _name(choices, simulation), choices.choice((0.0, 1.5 * DAY, -1.5 * DAY, 3600.0)))


def _of_instance(name: str) -> _Arguments:
    return lambda choices, simulation: (name, _name(choices, simulation))


def _of_shard(name: str) -> _Arguments:
    return lambda choices, simulation: (name, _shard(choices, simulation))


def _of_lease(name: str) -> _Arguments:
    return lambda choices, simulation: (name, _name(choices, simulation), _shard(choices, simulation))


def _of_owned(name: str, has_end: bool = True) -> _Arguments:
    """Draw an instance and a shard that it owns, if it owns any."""

    def draw(choices: random.Random, simulation: Simulation) -> Step:
        owned = [
            (instance.name, shard_id)
            for instance in simulation.instances.values()
            if instance.daemon is not None
            for shard_id in instance.daemon.leases.owned
        ]
        pair = choices.choice(owned) if owned and choices.random() < 0.9 else _of_lease("")(choices, simulation)[1:]
        return (name, *pair, *(_until(choices) if has_end else ()))

    return draw


def _draw_discover(choices: random.Random, simulation: Simulation) -> Step:
    """Draw an instance and a shard that the table says is its, but that it does not hold."""
    given = [
        (instance.name, row["leaseKey"])
        for instance in simulation.instances.values()
        if instance.daemon is not None
        for row in simulation.world.dynamodb.rows(TABLE)
        if row.get("leaseOwner") == instance.daemon.leases.worker_id
        and instance.daemon.leases.held(row["leaseKey"]) is None
    ]
    if not given:
        return _draw_takeover(choices, simulation)
    return ("discover", *choices.choice(given), *_until(choices))


_STEPS: tuple[tuple[int, _Arguments], ...] = (
    (12, _of_shard("put")),
    (3, _of_shard("copy")),
    (1, _of_shard("split")),
    (1, _of_shard("clean")),
    (8, lambda choices, simulation: ("start", _any_name(choices, simulation))),
    (3, _of_instance("restart")),
    (4, _of_instance("kill")),
    (2, _of_instance("kill_daemon")),
    (2, _of_owned("kill_processor", has_end=False)),
    (1, _of_instance("stop")),
    (1, lambda choices, simulation: ("lose_directory", _any_name(choices, simulation))),
    (1, lambda choices, simulation: ("snapshot", _any_name(choices, simulation))),
    (1, lambda choices, simulation: ("restore", _any_name(choices, simulation))),
    (1, lambda choices, simulation: ("clone", _name(choices, simulation), "C")),
    (6, _draw_takeover),
    (5, _of_owned("renew")),
    (10, _draw_discover),
    (4, _of_owned("expire", has_end=False)),
    (6, _of_instance("notice")),
    (25, _of_owned("read")),
    (6, _of_owned("read_older")),
    (3, lambda choices, simulation: ("answer", _name(choices, simulation), *_until(choices))),
    (4, lambda choices, simulation: ("settle", _name(choices, simulation), *_until(choices))),
    (4, _of_instance("scrape")),
    (8, _draw_fate),
    (6, _draw_land),
    (1, _of_instance("partition")),
    (1, _of_instance("heal")),
    (3, lambda choices, simulation: ("wait", choices.choice((1.0, 31.0)))),
    (1, _draw_leap),
)
_WEIGHTS = [weight for weight, _ in _STEPS]
_DRAWS = [draw for _, draw in _STEPS]


def _draw_steps(choices: random.Random, simulation: Simulation) -> list[Step]:
    """Draw a step, or several that are rarely of use without each other."""
    (draw,) = choices.choices(_DRAWS, _WEIGHTS)
    step = draw(choices, simulation)
    name, *arguments = step
    if name == "give" and choices.random() < 0.7:
        shard_id, instance = arguments
        return [step, ("discover", instance, shard_id), ("read", instance, shard_id, *_until(choices))]
    if name == "expire" and choices.random() < 0.7:
        return [step, ("discover", *arguments), ("notice", arguments[0]), ("read", *arguments, *_until(choices))]
    if name == "read" and choices.random() < 0.25:
        kind = choices.choice(("checkpoint", "claim"))
        fate = choices.choice(WRITE_FATES)
        until = (f"waiting for {kind}",) if fate == "late" and choices.random() < 0.7 else ()
        return [("fate", arguments[0], kind, fate), ("read", *arguments[:2], *until)]
    return [step]


def told(steps: Iterable[Step]) -> list[str]:
    """Return a story of the steps, a line for each."""
    return [f"{number:2}. {' '.join(map(str, step))}" for number, step in enumerate(steps, 1)]


__all__ = ["Player", "Schedule", "Setting", "Step", "Violation", "player", "told"]
