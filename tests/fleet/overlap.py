"""Two faults at once: one that lasts, and another while it does."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import psutil
from botocore.exceptions import HTTPClientError

from tests.fleet.errors import NothingDone
from tests.fleet.fleet import Fleet
from tests.fleet.member import Member

Inflict = Callable[[Fleet, Member, random.Random], str]

# Seconds between the beginnings.
HEAD_START = (0.0, 10.0)


class TwoAtOnce:
    """The fault that draws two others from `lasting` and `sudden`, and inflicts both, on any members."""

    def __init__(self, lasting: Mapping[str, Inflict], sudden: Mapping[str, Inflict]) -> None:
        self._lasting = lasting
        self._sudden = sudden

    def __call__(self, fleet: Fleet, member: Member, rng: random.Random) -> str:
        """Inflict both and say what they did."""
        other = rng.choice(fleet.members)
        first, second = rng.choice(list(self._lasting)), rng.choice(list(self._sudden))
        # Each has its own random numbers, as nobody knows which of both draws first.
        rngs = [random.Random(rng.random()) for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            deeds = {f"{first} {member.name}": pool.submit(self._lasting[first], fleet, member, rngs[0])}
            fleet.pause(rng.uniform(*HEAD_START))
            deeds[f"{second} {other.name}"] = pool.submit(self._sudden[second], fleet, other, rngs[1])
        return "; ".join(f"{name} {_outcome(deed)}" for name, deed in deeds.items())


def _outcome(deed: Future[str]) -> str:
    try:
        return deed.result()
    except (NothingDone, psutil.NoSuchProcess, HTTPClientError) as reason:
        return f"(nothing done, {reason})"
