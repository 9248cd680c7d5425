"""What must hold once all faults have ended, all instances run, and all records are read.

The totals of all ledgers, those of lost directories included, and the increases that Prometheus sees, equal what was
put, payload by payload. Only what docs/guarantees.md names may differ.
"""

from __future__ import annotations

from collections import Counter

from tests.simulation.kcl import TABLE
from tests.simulation.simulation import Instance, Simulation
from tests.simulation.stream import counted

_MOST_ROUNDS = 40


class Violation(Exception):
    """A promise is broken; the text says which."""


def check(simulation: Simulation) -> None:
    """End all faults, let everything be read, and compare. Raises `Violation`."""
    _end_faults(simulation)
    for _ in range(_MOST_ROUNDS):
        _go_round(simulation)
        if _is_quiet(simulation):
            break
    else:
        raise Violation(f"not all is read and settled after {_MOST_ROUNDS} rounds: {_what_is_left(simulation)}")
    for name in sorted(simulation.instances):
        for _ in range(2):
            simulation.do_scrape(name)
        simulation.do_wait(100.0)
        simulation.do_scrape(name)
        simulation.do_wait(100.0)
        simulation.do_scrape(name)
    _compare(simulation)


def _end_faults(simulation: Simulation) -> None:
    dynamodb = simulation.world.dynamodb
    dynamodb.fates.clear()
    dynamodb.partitioned.clear()
    for request in list(dynamodb.late):
        dynamodb.land(request.sender, request.kind)
    if not simulation.instances:
        simulation.do_start("A")
    for name in sorted(simulation.instances):
        simulation.do_start(name)


def _go_round(simulation: Simulation) -> None:
    workers = {instance.launcher.worker_id for instance in _running(simulation)}
    for name in sorted(simulation.instances):
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
        while simulation.do_answer(name):
            pass
        simulation.do_settle(name)
        # Commits wait for their interval.
        simulation.do_wait(31.0)
        simulation.do_scrape(name)


def _is_quiet(simulation: Simulation) -> bool:
    return not _what_is_left(simulation)


def _what_is_left(simulation: Simulation) -> list[str]:
    left = [
        f"{name} has a commit in doubt"
        for name, instance in simulation.instances.items()
        if instance.launcher is not None and instance.launcher.ledger.left_commits()
    ]
    for shard in simulation.stream.shards.values():
        row = simulation.world.dynamodb.row(TABLE, shard.shard_id)
        if row is None:
            is_read = not _is_expected_row(simulation, shard.shard_id)
        elif shard.children:
            is_read = row["checkpoint"] == "SHARD_END"
        else:
            # A shard whose records are all older than the first start has nothing to commit.
            records = [record for record in shard.records if record.arrived_at >= _since(simulation)]
            is_read = not records or row["checkpoint"] == str(records[-1].sequence)
        if not is_read:
            left.append(f"{shard.shard_id} is not read")
    return left


def _is_expected_row(simulation: Simulation, shard_id: str) -> bool:
    """Tell whether a shard without a row has yet to get it: the row of a shard that is read may be deleted."""
    children = simulation.stream.shards[shard_id].children
    return any(simulation.world.dynamodb.row(TABLE, child) is None for child in children) or not children


def _running(simulation: Simulation) -> list[Instance]:
    return [instance for instance in simulation.instances.values() if instance.is_running]


def _since(simulation: Simulation) -> float:
    if simulation.world.initial_position == "trim-horizon":
        return 0.0
    return float(int(simulation.first_start or 0.0))


def _compare(simulation: Simulation) -> None:
    truth = simulation.stream.truth(_since(simulation))
    total = simulation.retired + sum(
        instance.launcher.ledger.bytes_counted() - instance.base for instance in _running(simulation)
    )
    undecided: Counter[int] = Counter()
    for number_of_bytes in simulation.world.undecided:
        undecided += counted(number_of_bytes)
    losses = simulation.losses
    _explain("the ledgers", truth, total, undecided, losses.prepared)
    _explain("increase()", truth, simulation.prometheus.increases, undecided, losses.prepared + losses.unscraped)


def _explain(name: str, truth: Counter[int], number: int, undecided: Counter[int], may_be_lost: Counter[int]) -> None:
    found = counted(number)
    wrong = []
    for payload in sorted(truth.keys() | found.keys()):
        excess = found[payload] - truth[payload]
        if not -may_be_lost[payload] - undecided[payload] <= excess <= undecided[payload]:
            wrong.append(f"payload {payload} counts {found[payload]} times instead of {truth[payload]}")
    if wrong:
        raise Violation(f"{name}: {', '.join(wrong)}")
