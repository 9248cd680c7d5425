"""Schedules: lists of steps, drawn at random from a seed, played, and told as a story."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.simulation.databases import Databases
from tests.simulation.draws import Drawer
from tests.simulation.instance import replaced
from tests.simulation.invariant import Violation, check
from tests.simulation.simulation import Simulation, Step


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
        drawer = Drawer(choices, simulation, without)
        steps: list[Step] = []
        try:
            for _ in range(length):
                for step in drawer.draw():
                    self.steps += 1
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
        with closing(stage._databases), replaced(stage._databases):
            yield stage


def told(steps: Iterable[Step]) -> list[str]:
    """Return a story of the steps, a line for each."""
    return [f"{number:2}. {' '.join(map(str, step))}" for number, step in enumerate(steps, 1)]


def kind_of(error: Exception | None) -> str:
    """Return what kind of failure an error is, to tell whether a shorter schedule fails alike."""
    return "" if error is None else f"{type(error).__name__} {str(error).partition(':')[0] if error else ''}"


__all__ = ["Player", "Schedule", "Setting", "Step", "Violation", "kind_of", "player", "told"]
