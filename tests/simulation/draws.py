"""Steps drawn at random, so that most are possible and often lead to where others can come between.

Each schedule leaves out some kinds of steps, shards and instances, at random: schedules of few kinds go deeper.
"""

from __future__ import annotations

import random

from tests.simulation.dynamodb import READ_FATES
from tests.simulation.fleet import NAMES
from tests.simulation.kcl import TABLE
from tests.simulation.simulation import DAY, Simulation, Step

_PAUSES = (
    *("before read", "after read", "before claim", "after claim", "before holding"),
    *("before prepare", "before checkpoint", "after checkpoint", "before fold", "next callback"),
    *("before noting a refusal", "before abandon", "before settle", "sleeping", "before the shard's end"),
    *("before get lease", "after get lease", "before renew", "after renew"),
    *("before read of coordinator", "after read of coordinator"),
)
_PAUSES_OF_A_HOLDER = ("after claim", "after claim", "before prepare", "before checkpoint", "")
_PAUSES_OF_A_START = (
    "waiting to start",
    "waiting to start",
    "before put of coordinator",
    "before fence",
    "after fence",
)
_WRITE_FATES = ("late", "late", "late", "delayed", "delayed", "unanswered", "repeated", "lost", "throttled")
_WRITES = ("checkpoint", "checkpoint", "checkpoint", "claim", "claim", "renew", "put of coordinator", "fence")
_READS = ("read", "get lease", "read of coordinator")

# How often each kind of step is drawn.
WEIGHTS = {
    "put": 12,
    "copy": 3,
    "split": 2,
    "clean": 1,
    "start": 8,
    "restart": 3,
    "kill": 4,
    "kill_daemon": 2,
    "kill_processor": 2,
    "stop": 1,
    "lose_directory": 1,
    "snapshot": 2,
    "restore": 2,
    "clone": 2,
    "silence": 1,
    "beat": 1,
    "give": 6,
    "renew": 5,
    "discover": 10,
    "expire": 5,
    "notice": 6,
    "read": 25,
    "read_older": 6,
    "answer": 3,
    "settle": 4,
    "scrape": 4,
    "fate": 8,
    "land": 8,
    "partition": 1,
    "heal": 1,
    "wait": 2,
    "leap": 2,
}
# Without these nothing happens.
_ALWAYS = frozenset({"put", "start", "give", "discover", "read"})
_OF_ANY_INSTANCE = ("lose_directory", "snapshot", "restore")
_OF_INSTANCE = ("restart", "kill", "kill_daemon", "stop", "notice", "scrape", "partition", "heal", "silence", "beat")
_EPISODES = ("split", "leap", "snapshot", "restore", "clone")
_OF_SHARD = ("put", "copy", "split", "clean")
_OF_OWNED = ("kill_processor", "expire")
_OF_TASK = ("renew", "read", "read_older")
_OF_LAUNCHER = ("answer", "settle")


class Drawer:
    """Draws the steps of one schedule; `without` names kinds of steps, and fates, that it never draws."""

    def __init__(self, choices: random.Random, simulation: Simulation, without: frozenset[str]) -> None:
        self._choices = choices
        self._simulation = simulation
        self._without = without
        left_out = choices.choice((0.0, 0.2, 0.5))
        kinds = [kind for kind in WEIGHTS if kind in _ALWAYS or choices.random() >= left_out]
        self._kinds = [kind for kind in kinds if kind not in without]
        self._weights = [WEIGHTS[kind] for kind in self._kinds]
        self._names = NAMES[:2] if choices.random() < 0.7 else NAMES[:1]
        self._roots = None if choices.random() < 0.5 else choices.choice(("s0", "s1"))

    def draw(self) -> list[Step]:
        """Draw a step, or several that are rarely of use without each other."""
        (kind,) = self._choices.choices(self._kinds, self._weights)
        steps = self._complete(self._step(kind))
        return [step for step in steps if step[0] not in self._without and step[-1] not in self._without]

    def _complete(self, step: Step) -> list[Step]:
        name, *arguments = step
        is_alone = self._choices.random() < 0.3
        if name == "give" and not is_alone:
            shard_id, instance = arguments
            return [step, ("discover", instance, shard_id), *self._claim_and_read(instance, shard_id)]
        if name == "expire" and not is_alone:
            return self._choices.choice((self._lose_and_find, self._overtake))(*arguments) or [step]
        if name in _EPISODES and not is_alone:
            return list(getattr(self, f"_{name}_and_go_on")(*arguments))
        if name == "read" and self._choices.random() < 0.25:
            return self._read_with_fate(*arguments[:2])
        return [step]

    def _read_with_fate(self, instance: str, shard_id: str) -> list[Step]:
        kind = self._choices.choice(_WRITES[:4])
        fate = self._choices.choice(_WRITE_FATES)
        begin = [("put", shard_id), ("fate", instance, kind, fate)]
        if fate != "late" or self._choices.random() < 0.3:
            return [*begin, ("read", instance, shard_id, *self._until())]
        # The sender waits, while its instance loses the lease and finds it again.
        return [
            *begin,
            ("read", instance, shard_id, f"waiting for {kind}"),
            *self._lose_and_find(instance, shard_id, self._choices.choice(_PAUSES_OF_A_HOLDER)),
            ("land", instance, kind),
            *self._choices.choice(([], [("read", instance, shard_id, "before prepare")])),
            *self._choices.choice(([], [("kill", instance)], [("kill_processor", instance, shard_id)])),
        ]

    def _lose_and_find(self, instance: str, shard_id: str, until: str = "") -> list[Step]:
        if self._choices.random() < 0.2:
            return []
        more: list[Step] = [("put", shard_id)] if self._choices.random() < 0.3 else []
        return [
            ("expire", instance, shard_id),
            ("discover", instance, shard_id),
            ("notice", instance),
            *more,
            *([("read", instance, shard_id, until)] if until else self._claim_and_read(instance, shard_id, 0.7)),
        ]

    def _overtake(self, instance: str, shard_id: str) -> list[Step]:
        """Let a launcher's thread rest after a claim, while the next processor of the shard fails to commit."""
        return [
            *(("expire", instance, shard_id), ("discover", instance, shard_id), ("notice", instance)),
            *([("read", instance, shard_id), *[("renew", instance, shard_id)] * 2][: self._choices.choice((0, 3))]),
            ("read", instance, shard_id, "after claim"),
            *(("put", shard_id), ("fate", instance, "checkpoint", self._choices.choice(_WRITE_FATES))),
            *self._lose_and_find(instance, shard_id),
            ("answer", instance),
        ]

    def _split_and_go_on(self, shard_id: str) -> list[Step]:
        """End a shard under a fault, and let its reader find it once more."""
        instance = self._running()
        return [
            ("split", shard_id),
            ("fate", instance, "checkpoint", self._choices.choice(_WRITE_FATES)),
            ("read", instance, shard_id),
            *([("fate", instance, "get lease", "stale")] if self._choices.random() < 0.5 else []),
            ("discover", instance, shard_id),
            ("notice", instance),
            *self._claim_and_read(instance, shard_id),
        ]

    def _claim_and_read(self, instance: str, shard_id: str, chance: float = 0.35) -> list[Step]:
        """A claim mostly waits for a renewal."""
        begin: list[Step] = [
            ("read", instance, shard_id),
            *[("renew", instance, shard_id)] * self._choices.choice((1, 2)),
        ]
        return [*(begin if self._choices.random() < 0.6 else []), ("read", instance, shard_id, *self._until(chance))]

    def _count_more(self, instance: str) -> list[Step]:
        """Count another record, wherever the instance has a lease."""
        daemon = self._simulation.instances[instance].daemon
        owned = list(daemon.leases.owned) if daemon is not None else []
        shard_id = self._choices.choice(owned or [self._shard()])
        return [("put", shard_id), ("read", instance, shard_id)]

    def _leap_and_go_on(self, instance: str, seconds: float) -> list[Step]:
        """Count on a shard while the clock is wrong, and get copies of what was counted before on others."""
        shards = list(self._simulation.stream.shards)
        shard_id = self._choices.choice(shards)
        others = [other for other in shards if other != shard_id]
        return [
            ("leap", instance, seconds),
            *(("give", shard_id, instance), ("discover", instance, shard_id), ("put", shard_id)),
            *self._claim_and_read(instance, shard_id, 0.0),
            *self._choices.choice(([], [("leap", instance, 0.0)])),
            *self._choices.choice(([], [("kill", instance), ("start", instance)])),
            *(("copy", other) for other in others),
            *(("read", instance, other) for other in others if self._choices.random() < 0.7),
        ]

    def _snapshot_and_go_on(self, instance: str) -> list[Step]:
        """Show more than the copy has."""
        shown: list[Step] = [("scrape", instance), ("wait", 31.0), ("scrape", instance)]
        return [*shown, ("snapshot", instance), *self._count_more(instance), ("scrape", instance)]

    def _restore_and_go_on(self, instance: str) -> list[Step]:
        begin = [] if instance in self._simulation.snapshots else self._snapshot_and_go_on(instance)
        return [*begin, ("kill", instance), ("restore", instance), ("start", instance)]

    def _clone_and_go_on(self, instance: str, clone: str) -> list[Step]:
        """Let the original fall silent, or die; then both may go on."""
        before: list[Step] = self._choices.choice(([], [("silence", instance)], [("kill", instance)]))
        shard_id = self._shard()
        return [
            *before,
            ("clone", instance, clone),
            *((("give", shard_id, clone), ("discover", clone, shard_id)) if self._choices.random() < 0.5 else ()),
            *self._claim_and_read(clone, shard_id),
        ]

    def _step(self, kind: str) -> Step:
        if kind in _OF_ANY_INSTANCE:
            return (kind, self._choices.choice(self._names))
        if kind in _OF_INSTANCE:
            return (kind, self._running())
        if kind in _OF_SHARD:
            return (kind, self._shard())
        if kind in _OF_OWNED:
            return (kind, *self._owned())
        if kind in _OF_TASK:
            return (kind, *self._owned(), *self._until())
        if kind in _OF_LAUNCHER:
            return (kind, self._running(), *self._until())
        return tuple(getattr(self, f"_draw_{kind}")())

    def _draw_start(self) -> Step:
        until = (self._choices.choice(_PAUSES_OF_A_START),) if self._choices.random() < 0.15 else ()
        return ("start", self._choice_of_a_start(), *until)

    def _choice_of_a_start(self) -> str:
        """Draw an instance that does not run, if there is any; the clone, too, once it has a directory."""
        instances = self._simulation.instances.values()
        idle = [instance.name for instance in instances if instance.daemon is None]
        possible = [name for name in idle if name in self._names or self._simulation.instances[name].directory.exists()]
        return self._choices.choice(possible or self._names)

    def _draw_clone(self) -> Step:
        return ("clone", self._running(), NAMES[2])

    def _draw_give(self) -> Step:
        return ("give", self._shard(), self._running())

    def _draw_discover(self) -> Step:
        """Draw an instance and a shard that the table says is its, but that it does not hold."""
        given = [
            (instance.name, row["leaseKey"])
            for instance in self._simulation.instances.values()
            if instance.daemon is not None
            for row in self._simulation.world.dynamodb.rows(TABLE)
            if row.get("leaseOwner") == instance.daemon.leases.worker_id
            and instance.daemon.leases.held(row["leaseKey"]) is None
        ]
        return ("discover", *self._choices.choice(given), *self._until()) if given else self._draw_give()

    def _draw_fate(self) -> Step:
        if self._choices.random() < 0.1:
            return ("fate", "leader", "assign", self._choices.choice(_WRITE_FATES))
        if self._choices.random() < 0.25:
            return ("fate", self._running(), self._choices.choice(_READS), self._choices.choice(READ_FATES))
        return ("fate", self._running(), self._choices.choice(_WRITES), self._choices.choice(_WRITE_FATES))

    def _draw_land(self) -> Step:
        late = self._simulation.world.dynamodb.late
        if not late:
            return self._draw_fate()
        request = self._choices.choice(late)
        return ("land", request.sender, request.kind)

    def _draw_wait(self) -> Step:
        return ("wait", self._choices.choice((1.0, 31.0)))

    def _draw_leap(self) -> Step:
        return ("leap", self._running(), self._choices.choice((0.0, 1.5 * DAY, -1.5 * DAY, 3600.0)))

    def _until(self, chance: float = 0.35) -> tuple[str, ...]:
        return (self._choices.choice(_PAUSES),) if self._choices.random() < chance else ()

    def _running(self) -> str:
        running = [name for name, instance in self._simulation.instances.items() if instance.launcher is not None]
        return self._choices.choice(running or self._names)

    def _shard(self) -> str:
        shards = list(self._simulation.stream.shards)
        if self._roots is not None:
            shards = [shard_id for shard_id in shards if shard_id.startswith(self._roots)]
        return self._choices.choice(shards)

    def _owned(self) -> tuple[str, str]:
        owned = [
            (name, shard_id)
            for name, instance in self._simulation.instances.items()
            if instance.daemon is not None
            for shard_id in instance.daemon.leases.owned
        ]
        if owned and self._choices.random() < 0.9:
            return self._choices.choice(owned)
        return (self._running(), self._shard())
