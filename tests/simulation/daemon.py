"""A model of one run of the MultiLangDaemon: its leases, its shard consumers, and the tasks that run them."""

from __future__ import annotations

from collections.abc import Callable

from kcl_flowlog.commits.refusals import CheckpointRefused, Reaction, reaction_to
from kcl_flowlog.errors import FlowlogError
from tests.simulation.consumer import Consumer, HungUp
from tests.simulation.instance import Launcher
from tests.simulation.kcl import Lease, Leases
from tests.simulation.stream import Stream
from tests.simulation.tasks import Task, pause
from tests.simulation.world import World

# Enough for a consumer that gets all that a schedule puts on a shard; more is a loop without progress.
_MOST_CALLBACKS = 30


class Daemon:
    """One JVM of an instance."""

    def __init__(self, name: str, launcher: Launcher, world: World, stream: Stream) -> None:
        self.is_alive = True
        # A processor has died, or a stop is requested. New leases are still found and begun: `stopLeaseTaker` does not
        # cancel the discovery.
        self.is_ending = False
        self.consumers: list[Consumer] = []
        self.leases = Leases(launcher.worker_id, name, world.dynamodb, lambda: self.is_alive)
        self._launcher = launcher
        self._world = world
        self._stream = stream
        self._tasks: dict[str, Task] = {}
        self._reading: dict[Task, Consumer] = {}

    @property
    def tasks(self) -> list[Task]:
        """The tasks that have begun and not ended."""
        return [task for task in self._tasks.values() if not task.is_done]

    def dispatch(self) -> None:
        """`Scheduler.runProcessLoop`: end the consumers of lost leases, and create those of new leases.

        `createOrGetShardConsumer` replaces one that has ended if its lease, which was lost, is held after all.
        """
        for consumer in self.consumers:
            if self.leases.held(consumer.shard_id) is not consumer.lease:
                consumer.reason = "lease lost"
        self.consumers = [consumer for consumer in self.consumers if not consumer.has_lost_lease]
        for lease in list(self.leases.owned.values()):
            if not lease.is_expired and not any(consumer.lease is lease for consumer in self.consumers):
                self.consumers.append(self._new_consumer(lease))
        self.consumers = [
            consumer
            for consumer in self.consumers
            if consumer.state != "ended" or self.leases.held(consumer.shard_id) is consumer.lease
        ]

    def _new_consumer(self, lease: Lease) -> Consumer:
        return Consumer(
            lease,
            self.leases,
            self._stream,
            self._world.dynamodb,
            self._launcher.begins_at,
            lambda: self._launcher.new_processor(lease.shard_id),
        )

    def request_shutdown(self) -> None:
        """`Scheduler.startGracefulShutdown`: takes no more leases, and requests each processor to stop."""
        self.is_ending = True
        for consumer in self.consumers:
            consumer.reason = consumer.reason or "requested"

    def renew(self, shard_id: str, until: str = "") -> bool:
        """Renew a lease."""
        return self._run(f"renew {shard_id}", lambda: self.leases.renew(shard_id), until)

    def discover(self, shard_id: str, until: str = "") -> bool:
        """Look for a lease that the table says is this worker's."""
        return self._run(f"discover {shard_id}", lambda: self.leases.discover(shard_id), until)

    def read(self, shard_id: str, until: str = "", is_older: bool = False) -> bool:
        """Run a consumer of a shard until it has nothing to do: the latest, or the one before."""
        if self.is_alive and not is_older and not any(consumer.shard_id == shard_id for consumer in self.consumers):
            self.dispatch()
        found = [consumer for consumer in self.consumers if consumer.shard_id == shard_id]
        if len(found) < 1 + is_older:
            return False
        consumer = found[-1 - is_older]
        if consumer.state == "ended":
            return False
        name = f"read {shard_id} {id(consumer)}"
        if not self._run(name, lambda: _work(consumer), until):
            return False
        task = self._tasks[name]
        self._reading[task] = consumer
        if task.is_done and (task.is_killed or task.error is not None):
            self._note_death(consumer, task)
        return True

    def kill_processor(self, shard_id: str) -> bool:
        """Kill the processor of a shard: the daemon ends itself, after it has asked the others to stop."""
        consumers = [consumer for consumer in self.consumers if consumer.shard_id == shard_id and consumer.is_spawned]
        if not consumers or consumers[-1].state == "ended":
            return False
        consumer = consumers[-1]
        task = self._tasks.get(f"read {shard_id} {id(consumer)}")
        if task is not None:
            task.kill()
        consumer.state = "ended"
        self.request_shutdown()
        return True

    def kill(self) -> None:
        """Kill the daemon alone. A processor in a callback goes on until it needs the daemon."""
        self.is_alive = False
        for task in self.tasks:
            consumer = self._reading.get(task)
            if consumer is None or not consumer.is_in_callback:
                task.kill()

    def kill_all(self) -> None:
        """Kill the daemon and its processors."""
        self.is_alive = False
        for task in self.tasks:
            task.kill()

    def _run(self, name: str, work: Callable[[], None], until: str) -> bool:
        task = self._tasks.get(name)
        if task is None or task.is_done:
            if not self.is_alive:
                return False
            task = self._tasks[name] = Task(name, work)
        task.run(until)
        if task.is_done and task.error is not None and not name.startswith("read"):
            raise task.error
        return True

    def _note_death(self, consumer: Consumer, task: Task) -> None:
        if task.error is not None and not _is_expected(task.error):
            raise task.error
        consumer.state = "ended"
        if self.is_alive:
            self.request_shutdown()


def _work(consumer: Consumer) -> None:
    for _ in range(_MOST_CALLBACKS):
        before = (consumer.state, consumer.reason, consumer.after)
        consumer.work()
        if consumer.is_idle or consumer.state in ("ended", "notified"):
            return
        if before == (consumer.state, consumer.reason, consumer.after):
            return
        pause("next callback")


def _is_expected(error: Exception) -> bool:
    """Tell whether an error may end a processor; any other shows a fault."""
    if isinstance(error, CheckpointRefused):
        return reaction_to(error) is not Reaction.FATAL
    return isinstance(error, (FlowlogError, HungUp, OSError))
