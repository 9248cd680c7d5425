"""Deaths of a processor in a conversation: between the steps of a commit, and by records that kill."""

from __future__ import annotations

import base64
import signal

from kcl_flowlog.commits.claims import digest
from kcl_flowlog.commits.deaths import DEATHS
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.processor import faults
from tests.support.conversation import (
    GOOD,
    HANG_UP,
    KILL,
    SHARD,
    Stage,
    acknowledge,
    asks,
    done,
    elsewhere,
    ends,
    initialize,
    payload,
    records,
    say,
)
from tests.support.waiting import eventually

ONE = (101, payload(GOOD))
OPENING = [initialize(), done("initialize")]


def test_a_kill_before_prepare_costs_nothing(stage: Stage) -> None:
    """Killed before step 1: nothing is published, and the records count when they come again."""
    stage.fault.write_text(f"{faults.COUNTED} kill-processor")
    stage.play(*OPENING, records(ONE), ends(-signal.SIGKILL))
    assert 0 == stage.flows

    stage.play(*OPENING, records(ONE), asks("101"), acknowledge("101"), done("processRecords"))

    assert 1 == stage.flows


def test_a_kill_between_checkpoint_and_fold_costs_nothing(stage: Stage) -> None:
    """Killed right before step 3, after the checkpoint was acknowledged: the next `initialize` folds."""
    stage.fault.write_text(f"{faults.CHECKPOINTED} kill-processor")
    stage.play(*OPENING, records(ONE), asks("101"), acknowledge("101"), ends(-signal.SIGKILL))
    assert 0 == stage.flows

    stage.play(initialize("101"), done("initialize"))

    assert 1 == stage.flows


def test_a_kill_after_fold_costs_nothing(stage: Stage) -> None:
    """Killed after step 3, before the KCL has its answer: nothing counts twice."""
    stage.fault.write_text(f"{faults.FOLDED} kill-processor")
    stage.play(*OPENING, records(ONE), asks("101"), acknowledge("101"), ends(-signal.SIGKILL))

    stage.play(initialize("101"), done("initialize"), HANG_UP, ends(0))

    assert 1 == stage.flows


def test_a_record_that_killed_three_times_is_skipped(stage: Stage) -> None:
    """The fourth processor keeps it whole as a dead letter, and counts the records beside it."""
    stage.fault.write_text("payload kill-processor arsenic")
    poison = (102, b"arsenic " * 2000)
    for _ in range(DEATHS):
        stage.play(*OPENING, records(ONE, poison, (103, payload(GOOD, GOOD))), ends(-signal.SIGKILL))
    assert 0 == stage.flows

    stage.play(*OPENING, records(ONE, poison, (103, payload(GOOD, GOOD))), asks("102"), acknowledge("102"))
    stage.play(asks("103"), acknowledge("103"), done("processRecords"), HANG_UP, ends(0))

    assert 3 == stage.flows
    ((_, letter),) = stage.ledger.dead_letters()
    assert (letter.reason, letter.sequence_number, letter.truncated) == ("payload_poison", "102", False)
    assert base64.b64decode(letter.body) == poison[1]


def test_several_records_that_kill_are_skipped_one_after_the_other(stage: Stage) -> None:
    """Each is committed as soon as it is skipped, so each costs three deaths, however many there are."""
    stage.fault.write_text("payload kill-processor arsenic")
    batch = [ONE, (102, b"arsenic"), (103, payload(GOOD, GOOD)), (104, b"arsenic too")]
    rest = [initialize("102"), done("initialize"), records(*batch[2:])]
    for _ in range(DEATHS):
        stage.play(*OPENING, records(*batch), ends(-signal.SIGKILL))
    stage.play(*OPENING, records(*batch), asks("102"), acknowledge("102"), ends(-signal.SIGKILL))
    for _ in range(DEATHS - 1):
        stage.play(*rest, ends(-signal.SIGKILL))

    stage.play(*rest, asks("104"), acknowledge("104"), done("processRecords"), HANG_UP, ends(0))

    assert (3, 2) == (stage.flows, stage.count(counts.MALFORMED, "payload_poison"))


def test_a_lease_lost_at_a_record_that_kills_is_given_up(stage: Stage) -> None:
    """Nothing of the batch is counted after that."""
    stage.fault.write_text("payload kill-processor arsenic")
    batch = records((101, b"arsenic"), (102, payload(GOOD)))
    for _ in range(DEATHS):
        stage.play(*OPENING, batch, ends(-signal.SIGKILL))
    stage.play(*OPENING, batch, asks("101"), acknowledge("101", "ShutdownException"), done("processRecords"))
    stage.play(say("leaseLost"), done("leaseLost"), HANG_UP, ends(0), elsewhere("TRIM_HORIZON"))

    assert (0, 0) == (stage.flows, stage.count(counts.MALFORMED, "payload_poison"))


def test_a_processor_that_is_forgotten_does_not_die(stage: Stage) -> None:
    """The hang-up of a processor of the last daemon is not a death under the next."""
    stage.play(*OPENING)
    stage.inbox.forget()
    stage.play(KILL, *OPENING, HANG_UP, ends(0))

    assert eventually(lambda: not stage.inbox.shards())
    assert 0 == stage.inbox.deaths


def test_deaths_elsewhere_count(stage: Stage) -> None:
    """A shard that moves between instances is not fatal to each of them: one death here is enough."""
    stage.fault.write_text("payload kill-processor arsenic")
    poison = (102, b"arsenic")
    stage.play(*OPENING)
    for number in range(DEATHS - 1):
        stage.leases.claim_elsewhere(SHARD, Position("TRIM_HORIZON"), f"other{number}", digest(Position("102")))
    stage.play(KILL, *OPENING, records(ONE, poison), ends(-signal.SIGKILL))

    stage.play(
        *OPENING, records(ONE, poison), asks("102"), acknowledge("102"), done("processRecords"), HANG_UP, ends(0)
    )

    assert (1, 1) == (stage.flows, stage.count(counts.MALFORMED, "payload_poison"))


def test_a_processor_with_a_farewell_has_not_died(stage: Stage) -> None:
    """A death is a hang-up without a farewell."""
    stage.play(*OPENING, HANG_UP, ends(0))
    assert eventually(lambda: not stage.inbox.shards())
    assert 0 == stage.inbox.deaths

    stage.play(*OPENING, KILL)

    assert eventually(lambda: 1 == stage.inbox.deaths)
