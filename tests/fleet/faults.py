"""The faults that a fleet may suffer, in one table."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from tests.fleet import aws_faults, machine_faults, process_faults, restart_faults
from tests.fleet.fleet import Fleet
from tests.fleet.member import Member


class Fault(NamedTuple):
    """How often a fault is drawn, relative to the others, and what does it.

    `inflict` returns what it did in a few words. It raises `NothingDone` if it can't do it now, and `AssertionError`
    if the product did not react as it has to.
    """

    weight: int
    inflict: Callable[[Fleet, Member, random.Random], str]


FAULTS = {
    "kill-processor": Fault(3, process_faults.kill_processor),
    "kill-daemon": Fault(2, process_faults.kill_daemon),
    "kill-launcher": Fault(2, process_faults.kill_launcher),
    "kill-all": Fault(3, process_faults.kill_all),
    "gap": Fault(4, process_faults.die_between_two_steps),
    "restart": Fault(3, restart_faults.restart),
    "lose-state": Fault(2, restart_faults.restart_without_state),
    "roll": Fault(1, restart_faults.roll),
    "scale": Fault(2, restart_faults.scale_down_and_up),
    "scale-to-one": Fault(1, restart_faults.scale_to_one),
    "zombie": Fault(2, process_faults.pause_processes),
    "hang": Fault(1, process_faults.hang_processor),
    "poison": Fault(1, process_faults.put_poison),
    "reshard": Fault(3, aws_faults.reshard),
    "throttle": Fault(2, aws_faults.throttle_commits),
    "lose-answers": Fault(2, aws_faults.lose_answers),
    "fail-dynamodb": Fault(1, aws_faults.fail_dynamodb),
    "freeze-ec2": Fault(1, aws_faults.freeze_ec2),
    "freeze-kinesis": Fault(1, aws_faults.freeze_kinesis),
    "damage-ledger": Fault(1, restart_faults.damage_ledger),
    "fill-disk": Fault(1, machine_faults.fill_disk),
    "set-clock": Fault(1, machine_faults.shift_clock),
    "scrape-slowly": Fault(1, machine_faults.scrape_slowly),
}
