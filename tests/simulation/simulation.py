"""The steps of a schedule, and what they do. A step that is not possible at its moment does nothing and returns False.

So any part of a schedule is a schedule, which is what cutting it down needs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.simulation.fleet import Fleet
from tests.simulation.instance import Launcher
from tests.simulation.kcl import TABLE, assign
from tests.simulation.tasks import Task

DAY = 86_400.0

Step = tuple[Any, ...]
"""The name of a step and its arguments."""


class Simulation(Fleet):
    """A fleet on one stream; the methods whose names begin with `do_` are the steps."""

    # The stream

    def do_put(self, shard_id: str) -> bool:
        """Put a record with a new payload on a shard."""
        shard = self.stream.shards.get(shard_id)
        if shard is None or shard.children or self.stream.is_full:
            return False
        self.stream.put(shard_id, self.world.now)
        return True

    def do_copy(self, shard_id: str) -> bool:
        """Put the payload of a shard's last record on it again."""
        shard = self.stream.shards.get(shard_id)
        if shard is None or shard.children or not shard.records:
            return False
        self.stream.put_copy(shard_id, self.world.now)
        return True

    def do_split(self, shard_id: str) -> bool:
        """Split a shard."""
        shard = self.stream.shards.get(shard_id)
        if shard is None or shard.children or len(self.stream.shards) > 4:
            return False
        self.stream.split(shard_id, self.world.now)
        return True

    # The life of an instance

    def do_start(self, name: str, until: str = "") -> bool:
        """Start an instance, launcher and daemon; or go on with a start that waits."""
        instance = self.instances[name]
        if instance.launcher is None and (name != "C" or instance.directory.exists()):
            instance.launcher = Launcher(name, instance.directory, self.world)
            instance.starting = Task("start", instance.launcher.begin)
        if instance.starting is None:
            return False
        self.go_on_starting(instance, until)
        return True

    def do_beat(self, name: str) -> bool:
        """Let an instance give a sign of life, after it was silent or not."""
        launcher = self.instances[name].launcher
        if launcher is None or not launcher.is_admitted:
            return False
        launcher.is_silent = False
        launcher.beat()
        self.end_if_replaced(self.instances[name])
        return True

    def do_silence(self, name: str) -> bool:
        """Let an instance give no sign of life until `beat`; its daemon goes on."""
        launcher = self.instances[name].launcher
        if launcher is None or not launcher.is_admitted or launcher.is_silent:
            return False
        launcher.is_silent = True
        return True

    def do_restart(self, name: str) -> bool:
        """Replace an instance's daemon, as the launcher does when a processor or the daemon has died."""
        instance = self.instances[name]
        if instance.daemon is None or (instance.daemon.is_alive and not instance.daemon.is_ending):
            return False
        instance.daemon.kill_all()
        self.begin_daemon(instance)
        return True

    def do_kill(self, name: str) -> bool:
        """Kill launcher, daemon and processors at once."""
        instance = self.instances[name]
        if instance.launcher is None:
            return False
        self.end_instance(instance)
        return True

    def do_kill_daemon(self, name: str) -> bool:
        """Kill the daemon alone."""
        daemon = self.instances[name].daemon
        if daemon is None or not daemon.is_alive:
            return False
        daemon.kill()
        return True

    def do_kill_processor(self, name: str, shard_id: str) -> bool:
        """Kill the processor of a shard."""
        daemon = self.instances[name].daemon
        return daemon is not None and daemon.is_alive and daemon.kill_processor(shard_id)

    def do_stop(self, name: str) -> bool:
        """Stop an instance in order, with last commits and last pages."""
        instance = self.instances[name]
        launcher, daemon = instance.launcher, instance.daemon
        if launcher is None or daemon is None:
            return False
        if daemon.is_alive:
            daemon.request_shutdown()
            for shard_id in sorted(self.stream.shards):
                for is_older in (True, False):
                    daemon.read(shard_id, is_older=is_older)
            daemon.dispatch()
            for shard_id in sorted(self.stream.shards):
                daemon.read(shard_id)
        daemon.kill_all()
        Task("finish", launcher.finish).run()
        self.show_all(instance)
        self.end_instance(instance)
        return True

    # State directories

    def do_lose_directory(self, name: str) -> bool:
        """Lose the state directory of an instance that does not run; the next has another worker id."""
        instance = self.instances[name]
        if instance.launcher is not None or not instance.directory.exists():
            return False
        self.retire(instance)
        self.world.remove_directory(instance.directory)
        instance.base = instance.shown = instance.copied_shown = 0
        instance.is_copy = False
        return True

    def do_snapshot(self, name: str) -> bool:
        """Keep a copy of a state directory."""
        instance = self.instances[name]
        if not instance.directory.exists():
            return False
        self.snapshots[name] = (self.world.folder / f"snapshot-{name}", instance.shown)
        self.world.copy_directory(instance.directory, self.snapshots[name][0])
        return True

    def do_restore(self, name: str) -> bool:
        """Replace the state directory of an instance that does not run by the copy that was kept."""
        instance = self.instances[name]
        if instance.launcher is not None or name not in self.snapshots:
            return False
        if instance.directory.exists():
            self.retire(instance)
        self.begin_copy(instance, *self.snapshots[name])
        return True

    def do_clone(self, name: str, other: str) -> bool:
        """Start another instance on a copy of a state directory, while the first goes on if it runs."""
        instance, clone = self.instances[name], self.instances[other]
        if name == other or clone.launcher is not None or not instance.directory.exists():
            return False
        if clone.directory.exists():
            self.retire(clone)
            # docs/guarantees.md: what takes the place of another directory has to be another target.
            self.prometheus.forget(other)
        self.begin_copy(clone, instance.directory, instance.shown)
        return self.do_start(other)

    # The leases

    def do_give(self, shard_id: str, name: str) -> bool:
        """Let a leader give the lease of a shard to an instance, whether it runs or not."""
        instance = self.instances[name]
        if instance.launcher is None or self.world.dynamodb.row(TABLE, shard_id) is None:
            return False
        Task("assign", partial(assign, self.world.dynamodb, shard_id, instance.launcher.worker_id)).run()
        return True

    def do_renew(self, name: str, shard_id: str, until: str = "") -> bool:
        """Renew a lease."""
        daemon = self.instances[name].daemon
        return daemon is not None and shard_id in daemon.leases.owned and daemon.renew(shard_id, until)

    def do_discover(self, name: str, shard_id: str, until: str = "") -> bool:
        """Look for a lease that is given to the instance."""
        daemon = self.instances[name].daemon
        return daemon is not None and daemon.discover(shard_id, until)

    def do_expire(self, name: str, shard_id: str) -> bool:
        """Let an instance not have renewed a lease for the failover time."""
        daemon = self.instances[name].daemon
        lease = daemon.leases.owned.get(shard_id) if daemon is not None else None
        if lease is None or lease.is_expired:
            return False
        lease.is_expired = True
        return True

    def do_clean(self, shard_id: str) -> bool:
        """`LeaseCleanupManager.cleanupLeaseForCompletedShard`: delete the row of a shard whose children are read."""
        row = self.world.dynamodb.row(TABLE, shard_id)
        children = self.stream.shards[shard_id].children if shard_id in self.stream.shards else []
        rows = [self.world.dynamodb.row(TABLE, child) for child in children]
        is_read = all(child is not None and child["checkpoint"] != "TRIM_HORIZON" for child in rows)
        if row is None or row["checkpoint"] != "SHARD_END" or not children or not is_read:
            return False
        self.world.dynamodb.put(TABLE, shard_id, None)
        return True

    # Consumers and chores

    def do_notice(self, name: str) -> bool:
        """Let a daemon look at its leases: it ends the consumers of lost leases and begins those of new leases."""
        daemon = self.instances[name].daemon
        if daemon is None or not daemon.is_alive:
            return False
        daemon.dispatch()
        return True

    def do_read(self, name: str, shard_id: str, until: str = "") -> bool:
        """Let the processor of a shard get all that there is."""
        daemon = self.instances[name].daemon
        return daemon is not None and daemon.read(shard_id, until)

    def do_read_older(self, name: str, shard_id: str, until: str = "") -> bool:
        """The same for the processor before the latest, which has lost its lease and may not know it."""
        daemon = self.instances[name].daemon
        return daemon is not None and daemon.read(shard_id, until, is_older=True)

    def do_answer(self, name: str, until: str = "") -> bool:
        """Let a launcher go on with what a processor had asked for."""
        launcher = self.instances[name].launcher
        tasks = [task for task in launcher.tasks if not task.is_done] if launcher is not None else []
        if launcher is None or not tasks:
            return False
        self._run(tasks[0], until)
        if not tasks[0].is_done:
            # The next time another has its turn.
            launcher.tasks.remove(tasks[0])
            launcher.tasks.append(tasks[0])
        return True

    def do_settle(self, name: str, until: str = "") -> bool:
        """Let a launcher settle the commits in doubt."""
        instance = self.instances[name]
        if instance.launcher is None or not instance.launcher.is_admitted:
            return False
        if instance.settling is None or instance.settling.is_done:
            instance.settling = Task("settle", instance.launcher.registrar.settle_left)
        self._run(instance.settling, until)
        return True

    def do_scrape(self, name: str) -> bool:
        """Let Prometheus scrape an instance."""
        return self.scrape(self.instances[name])

    # The world

    def do_fate(self, sender: str, kind: str, fate: str) -> bool:
        """Set the fate of the next request of a kind."""
        self.world.dynamodb.fates[sender, kind] = fate
        return True

    def do_land(self, sender: str, kind: str) -> bool:
        """Apply a late request."""
        return self.world.dynamodb.land(sender, kind)

    def do_partition(self, name: str) -> bool:
        """Cut an instance off from DynamoDB."""
        is_connected = name not in self.world.dynamodb.partitioned
        self.world.dynamodb.partitioned.add(name)
        return is_connected

    def do_heal(self, name: str) -> bool:
        """Connect an instance to DynamoDB again."""
        was_cut_off = name in self.world.dynamodb.partitioned
        self.world.dynamodb.partitioned.discard(name)
        return was_cut_off

    def do_wait(self, seconds: float) -> bool:
        """Let time pass."""
        self.world.pass_time(seconds)
        return True

    def do_leap(self, name: str, seconds: float) -> bool:
        """Set an instance's wall clock, so many seconds from the true time."""
        self.world.leaps[name] = seconds
        return True

    def _run(self, task: Task, until: str) -> None:
        task.run(until)
        if task.error is not None:
            raise task.error
