"""What must hold once all faults have ended, all instances run, and all records are read.

The totals of all ledgers, those of lost directories included, and the increases that Prometheus sees, equal what was
put, payload by payload. Only what docs/guarantees.md names may differ.
"""

from __future__ import annotations

from collections import Counter

from kcl_flowlog.launcher import application
from tests.simulation.fleet import Instance
from tests.simulation.instance import COORDINATOR
from tests.simulation.kcl import TABLE
from tests.simulation.simulation import Simulation
from tests.simulation.stream import counted

_MOST_ROUNDS = 40


class Violation(Exception):
    """A promise is broken; the text says which."""


def check(simulation: Simulation) -> None:
    """End all faults, let everything be read, and compare. Raises `Violation`."""
    _end_faults(simulation)
    _come_to_rest(simulation)
    for instance in simulation.instances.values():
        if instance.launcher is None and instance.directory.exists():
            _let_take_its_turn(simulation, instance)
    for instance, _ in simulation.running():
        simulation.scrape(instance)
        simulation.scrape(instance)
        for _ in range(2):
            simulation.do_wait(100.0)
            simulation.scrape(instance)
    _compare(simulation)


def _end_faults(simulation: Simulation) -> None:
    dynamodb = simulation.world.dynamodb
    dynamodb.fates.clear()
    dynamodb.partitioned.clear()
    for request in list(dynamodb.late):
        dynamodb.land(request.sender, request.kind)
    for name in simulation.instances:
        simulation.do_beat(name)
    for name, instance in simulation.instances.items():
        if name != "C" or instance.directory.exists():
            simulation.do_start(name)


def _let_take_its_turn(simulation: Simulation, instance: Instance) -> None:
    """Start an instance that was refused, once those are stopped that have its worker id."""
    worker_id = simulation.world.directory(instance.directory).worker_id()
    for other, launcher in simulation.running():
        if launcher.worker_id == worker_id:
            simulation.do_stop(other.name)
    simulation.do_start(instance.name)
    if instance.launcher is None:
        raise Violation(f"{instance.name} can't start")
    _come_to_rest(simulation)


def _come_to_rest(simulation: Simulation) -> None:
    before: object = None
    for _ in range(_MOST_ROUNDS):
        _go_round(simulation)
        left, now = _what_is_left(simulation), _progress(simulation)
        if not left and before == now:
            return
        before = now
    raise Violation(f"not all is read and settled after {_MOST_ROUNDS} rounds: {', '.join(left)}")


def _go_round(simulation: Simulation) -> None:
    workers = {launcher.worker_id for _, launcher in simulation.running()}
    for name in sorted(simulation.instances):
        if simulation.instances[name].starting is not None:
            simulation.do_start(name)
        simulation.do_restart(name)
        for shard_id in sorted(simulation.stream.shards):
            row = simulation.world.dynamodb.row(TABLE, shard_id)
            if row is not None and row.get("leaseOwner") not in workers:
                simulation.do_give(shard_id, name)
            simulation.do_renew(name, shard_id)
            simulation.do_discover(name, shard_id)
            simulation.do_notice(name)
            simulation.do_read_older(name, shard_id)
            simulation.do_read(name, shard_id)
            simulation.do_read(name, shard_id)
        launcher = simulation.instances[name].launcher
        for _ in list(launcher.tasks) if launcher is not None else ():
            simulation.do_answer(name)
        simulation.do_settle(name)
        # Commits wait for their interval.
        simulation.do_wait(31.0)
        simulation.do_scrape(name)


def _what_is_left(simulation: Simulation) -> list[str]:
    left = [
        f"{instance.name} waits to start" for instance in simulation.instances.values() if instance.starting is not None
    ]
    left += [
        f"{instance.name} has a commit in doubt"
        for instance, launcher in simulation.running()
        if launcher.ledger.left_commits()
    ]
    return left + [
        f"{shard_id} is not read" for shard_id in simulation.stream.shards if not _is_read(simulation, shard_id)
    ]


def _is_read(simulation: Simulation, shard_id: str) -> bool:
    """Tell whether a shard is read to its present end: complete, or its reader has nothing to do."""
    children = simulation.stream.shards[shard_id].children
    row = simulation.world.dynamodb.row(TABLE, shard_id)
    if row is None or row["checkpoint"] == "SHARD_END":
        # Without a row, it was closed before the application began, or the KCL has cleaned it up.
        return bool(children) and all(_is_read(simulation, child) for child in children)
    daemons = [instance.daemon for instance, _ in simulation.running() if instance.daemon is not None]
    return any(
        consumer.is_idle and daemon.leases.held(shard_id) is consumer.lease
        for daemon in daemons
        for consumer in daemon.consumers
        if consumer.shard_id == shard_id and daemon.leases.worker_id == row.get("leaseOwner")
    )


def _progress(simulation: Simulation) -> object:
    """Return what further rounds don't change any more once all is read."""
    rows = [{**row, "leaseCounter": 0} for row in simulation.world.dynamodb.rows(TABLE)]
    ledgers = [launcher.ledger.bytes_counted() for _, launcher in simulation.running()]
    daemons = [instance.daemon for instance, _ in simulation.running() if instance.daemon is not None]
    delivered = [[(consumer.shard_id, consumer.after) for consumer in daemon.consumers] for daemon in daemons]
    return rows, ledgers, delivered


def _since(simulation: Simulation) -> float:
    record = simulation.world.dynamodb.row(COORDINATOR, application.KEY)
    position = record["initialPosition"] if record is not None else application.TRIM_HORIZON
    return 0.0 if position == application.TRIM_HORIZON else float(position)


def _compare(simulation: Simulation) -> None:
    world, losses = simulation.world, simulation.losses
    if world.unexplained:
        raise Violation(f"undecided: {', '.join(world.unexplained)}")
    truth = simulation.stream.truth(_since(simulation))
    total = simulation.retired + sum(
        world.open_ledger(instance.ledger).bytes_counted() - instance.base
        for instance in simulation.instances.values()
        if instance.directory.exists()
    )
    undecided: Counter[int] = Counter()
    for number_of_bytes in world.undecided:
        undecided += counted(number_of_bytes)
    may_double = _second_deliveries(simulation)
    may_be_lost = losses.prepared + simulation.stream.payloads(world.skipped)
    _explain("the ledgers", truth, total, undecided, may_be_lost, may_double)
    may_be_lost += losses.unscraped
    may_double += losses.shown_twice
    _explain("increase()", truth, simulation.prometheus.increases, undecided, may_be_lost, may_double)


def _second_deliveries(simulation: Simulation) -> Counter[int]:
    """Return the payloads whose copies may count: only the ledger that has counted a payload knows it again.

    docs/guarantees.md says so; whatever else is counted twice is a violation.
    """
    may_double: Counter[int] = Counter()
    for shard_id, readers in simulation.world.readers.items():
        if len(readers) > 1:
            may_double.update(dict.fromkeys(simulation.stream.copies(shard_id), 8))
    return may_double


def _explain(
    name: str,
    truth: Counter[int],
    number: int,
    undecided: Counter[int],
    may_be_lost: Counter[int],
    may_double: Counter[int],
) -> None:
    found = counted(number)
    wrong = []
    for payload in sorted(truth.keys() | found.keys()):
        excess = found[payload] - truth[payload]
        if not -may_be_lost[payload] - undecided[payload] <= excess <= undecided[payload] + may_double[payload]:
            wrong.append(f"payload {payload} counts {found[payload]} times instead of {truth[payload]}")
    if wrong:
        raise Violation(f"{name}: {', '.join(wrong)}")
