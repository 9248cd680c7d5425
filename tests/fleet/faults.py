"""The faults that a fleet may suffer, in one table."""

from __future__ import annotations

from typing import NamedTuple

from tests.fleet import (
    aws_faults,
    late_faults,
    machine_faults,
    process_faults,
    restart_faults,
    stream_faults,
    web_faults,
)
from tests.fleet.overlap import Inflict, TwoAtOnce


class Fault(NamedTuple):
    """How often a fault is drawn, relative to the others, and what does it.

    `inflict` returns what it did in a few words. It raises `NothingDone` if it can't do it now, and `AssertionError`
    if the product did not react as it has to.
    """

    weight: int
    inflict: Inflict


# Faults that last for a while and leave the instances to react.
_LASTING = {
    "throttle": Fault(2, aws_faults.throttle_commits),
    "lose-answers": Fault(2, aws_faults.lose_answers),
    "fail-dynamodb": Fault(1, aws_faults.fail_dynamodb),
    "silence-dynamodb": Fault(1, aws_faults.silence_dynamodb),
    "fail-reads": Fault(1, aws_faults.fail_reads),
    "cut-off-dynamodb": Fault(1, aws_faults.cut_off_from_dynamodb),
    "cut-off-kinesis": Fault(1, aws_faults.cut_off_from_kinesis),
    "freeze-kinesis": Fault(1, aws_faults.freeze_kinesis),
    "late-writes": Fault(2, late_faults.delay_writes),
    "late-checkpoint": Fault(2, late_faults.deliver_checkpoint_late),
    "late-renewal": Fault(1, late_faults.deliver_renewal_late),
    "fill-disk": Fault(1, machine_faults.fill_disk),
    "set-clock": Fault(1, machine_faults.shift_clock),
    "read-stdout-slowly": Fault(1, machine_faults.read_stdout_slowly),
    "scrape-slowly": Fault(1, web_faults.scrape_slowly),
}

# Faults that strike processes or the stream, and are over soon.
_SUDDEN = {
    "kill-processor": Fault(3, process_faults.kill_processor),
    "kill-daemon": Fault(2, process_faults.kill_daemon),
    "kill-launcher": Fault(2, process_faults.kill_launcher),
    "kill-all": Fault(3, process_faults.kill_all),
    "gap": Fault(4, process_faults.die_between_two_steps),
    "zombie": Fault(2, process_faults.pause_processes),
    "pause-launcher": Fault(1, process_faults.pause_launcher),
    "pause-instance": Fault(1, process_faults.pause_instance),
    "reshard": Fault(3, aws_faults.reshard),
}

FAULTS = {
    **_LASTING,
    **_SUDDEN,
    "two-at-once": Fault(
        3,
        TwoAtOnce(
            {name: fault.inflict for name, fault in _LASTING.items()},
            {name: fault.inflict for name, fault in _SUDDEN.items()},
        ),
    ),
    "restart": Fault(3, restart_faults.restart),
    "lose-state": Fault(2, restart_faults.restart_without_state),
    "roll": Fault(1, restart_faults.roll),
    "scale": Fault(2, restart_faults.scale_down_and_up),
    "scale-to-one": Fault(1, restart_faults.scale_to_one),
    "hang": Fault(1, process_faults.hang_processor),
    "poison": Fault(1, process_faults.put_poison),
    "late-claim": Fault(1, late_faults.deliver_claim_late),
    "freeze-ec2": Fault(1, aws_faults.freeze_ec2),
    "damage-ledger": Fault(1, restart_faults.damage_ledger),
    "damage-page": Fault(1, restart_faults.damage_page_after_fold),
    "deliver-again": Fault(1, stream_faults.deliver_again),
    "dribble": Fault(1, web_faults.dribble),
    "stop-under-attack": Fault(1, web_faults.stop_under_attack),
}
