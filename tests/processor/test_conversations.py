"""Conversations of the MultiLang protocol with a real processor: what it answers, and what is counted by then."""

from __future__ import annotations

import base64
import gzip
import ipaddress
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.commits.claims import DEATHS, digest
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.processor import faults
from tests.support.conversation import (
    DENIED,
    GOOD,
    HANG_UP,
    KILL,
    ODD,
    PATIENCE,
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
from tests.support.lease_fakes import ELSEWHERE
from tests.support.waiting import eventually

ONE = (101, payload(GOOD))
TWO = (102, payload(GOOD, GOOD))
GARBAGE = (103, b"neither gzip nor JSON")
BOMB = (104, gzip.compress(b"0" * 5_000_000))
MIXED = (105, payload(GOOD, ODD, DENIED))

OPENING = [initialize(), done("initialize")]
REFUSED = [asks("101"), acknowledge("101", "ThrottlingException")]
DOUBTED = [asks("101"), acknowledge("101", "KinesisClientLibDependencyException")]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


# Each story: its claim, its steps, the flows published in the end.
STORIES: dict[str, tuple[list[tuple[str, Any]], int]] = {
    "a batch is counted, checkpointed at its last record, and published": (
        [*OPENING, records(ONE, TWO), asks("102"), acknowledge("102"), done("processRecords"), HANG_UP, ends(0)],
        3,
    ),
    "an empty batch needs no checkpoint": (
        [*OPENING, records(), done("processRecords"), HANG_UP, ends(0)],
        0,
    ),
    "an invalid message of the daemon ends the processor": (
        [*OPENING, ("say", "not a message"), ends(1)],
        0,
    ),
    "killed after prepare, before the checkpoint: the records come again and count once": (
        [
            *[*OPENING, records(ONE), asks("101"), KILL],
            *[initialize("TRIM_HORIZON"), done("initialize")],
            *[records(ONE, TWO), asks("102"), acknowledge("102"), done("processRecords"), HANG_UP, ends(0)],
        ],
        3,
    ),
    "killed after the checkpoint, before fold: the launcher folds for the next processor": (
        [
            *[*OPENING, records(ONE), asks("101"), KILL],
            *[initialize("101"), done("initialize")],
            *[records(TWO), asks("102"), acknowledge("102"), done("processRecords"), HANG_UP, ends(0)],
        ],
        3,
    ),
    "another instance continued from the commit: it is folded": (
        [
            *[*OPENING, records(ONE, TWO), asks("102"), KILL, elsewhere("102")],
            *[initialize("150"), done("initialize"), HANG_UP, ends(0)],
        ],
        3,
    ),
    "another instance began before the commit: that instance counts the records": (
        [
            *[*OPENING, records(ONE, TWO), asks("102"), KILL, elsewhere("TRIM_HORIZON")],
            *[initialize("150"), done("initialize"), HANG_UP, ends(0)],
        ],
        0,
    ),
    "another instance began before the commit and reached the same position: that instance counts the records": (
        [
            *[*OPENING, records(ONE, TWO), asks("102"), KILL, elsewhere("TRIM_HORIZON")],
            *[initialize("102"), done("initialize"), HANG_UP, ends(0)],
        ],
        0,
    ),
    "the lease is lost: what was not committed is forgotten": (
        [
            *OPENING,
            *[records(ONE), *REFUSED * 5, done("processRecords")],
            *[say("leaseLost"), done("leaseLost"), HANG_UP, ends(0)],
        ],
        0,
    ),
    "a throttled checkpoint is tried again": (
        [*OPENING, records(ONE), *REFUSED, asks("101"), acknowledge("101"), done("processRecords"), HANG_UP, ends(0)],
        1,
    ),
    "a checkpoint that stays throttled is repeated with the next batch, before its own": (
        [
            *[*OPENING, records(ONE), *REFUSED * 5, done("processRecords")],
            *[records(TWO), asks("101"), acknowledge("101")],
            *[asks("102"), acknowledge("102"), done("processRecords"), HANG_UP, ends(0)],
        ],
        3,
    ),
    "a checkpoint that stays throttled is repeated even without a new record": (
        [
            *[*OPENING, records(ONE), *REFUSED * 5, done("processRecords")],
            *[records(), asks("101"), acknowledge("101"), done("processRecords"), HANG_UP, ends(0)],
        ],
        1,
    ),
    "a checkpoint that stays throttled, then a kill: the lease table decides": (
        [
            *[*OPENING, records(ONE), *REFUSED * 5, done("processRecords")],
            *[records(TWO), *REFUSED * 5, done("processRecords"), KILL],
            *[initialize("101"), done("initialize"), records(TWO), asks("102"), acknowledge("102")],
            *[done("processRecords"), HANG_UP, ends(0)],
        ],
        3,
    ),
    "throttled, then the lease is lost, but the checkpoint had happened: the commit is folded": (
        [
            *[*OPENING, records(ONE), *REFUSED * 5, done("processRecords")],
            *[say("leaseLost"), done("leaseLost"), HANG_UP, ends(0)],
            *[initialize("101"), done("initialize"), HANG_UP, ends(0)],
        ],
        1,
    ),
    "a checkpoint is refused as the lease is gone: nothing more is counted or checkpointed": (
        [
            *[*OPENING, records(ONE), asks("101"), acknowledge("101", "ShutdownException"), done("processRecords")],
            *[records(TWO), done("processRecords"), say("leaseLost"), done("leaseLost"), HANG_UP, ends(0)],
        ],
        0,
    ),
    "an ambiguous error is tried again at the same position": (
        [*OPENING, records(ONE), *DOUBTED, asks("101"), acknowledge("101"), done("processRecords"), HANG_UP, ends(0)],
        1,
    ),
    "ambiguous to the end: the processor ends without a status": (
        [*OPENING, records(ONE), *DOUBTED * 5, ends(1)],
        0,
    ),
    "ambiguous to the end, but the checkpoint had happened: the commit is folded": (
        [*OPENING, records(ONE), *DOUBTED * 5, ends(1), initialize("101"), done("initialize"), HANG_UP, ends(0)],
        1,
    ),
    "ambiguous, then the lease is gone, but the checkpoint had happened: the commit is folded": (
        [
            *[*OPENING, records(ONE), *DOUBTED, asks("101"), acknowledge("101", "ShutdownException")],
            *[done("processRecords"), say("leaseLost"), done("leaseLost"), HANG_UP, ends(0)],
            *[initialize("101"), done("initialize"), HANG_UP, ends(0)],
        ],
        1,
    ),
    "a fatal refusal: the processor ends without a status": (
        [*OPENING, records(ONE), asks("101"), acknowledge("101", "InvalidStateException"), ends(1)],
        0,
    ),
    "the shard's end: the rest is committed, then everything is checkpointed, for as long as it takes": (
        [
            *[*OPENING, records(ONE), *REFUSED * 5, done("processRecords")],
            *[say("shardEnded"), asks("101"), acknowledge("101")],
            *[asks(None), acknowledge(None, "ThrottlingException")] * 2,
            *[asks(None), acknowledge(None), done("shardEnded"), HANG_UP, ends(0)],
        ],
        1,
    ),
    "the lease is lost at the shard's end: the processor ends without a status": (
        [*OPENING, say("shardEnded"), asks(None), acknowledge(None, "ShutdownException"), ends(1)],
        0,
    ),
    "a planned stop while checkpoints are throttled: the commit is left to the lease table": (
        [
            *[*OPENING, records(ONE), *REFUSED * 5, done("processRecords")],
            *[say("shutdownRequested"), *REFUSED * 5, done("shutdownRequested"), HANG_UP, ends(0), elsewhere("101")],
            *[initialize("150"), done("initialize"), HANG_UP, ends(0)],
        ],
        1,
    ),
    "a planned stop: the last commit, then the lease is given up": (
        [
            *[*OPENING, records(ONE), *REFUSED * 5, done("processRecords")],
            *[say("shutdownRequested"), asks("101"), acknowledge("101"), done("shutdownRequested")],
            *[say("leaseLost"), done("leaseLost"), HANG_UP, ends(0)],
        ],
        1,
    ),
    "garbage is counted and checkpointed, and the records beside it are counted": (
        [
            *[*OPENING, records(ONE, GARBAGE, BOMB, MIXED), asks("105"), acknowledge("105")],
            *[done("processRecords"), HANG_UP, ends(0)],
        ],
        3,
    ),
    "the end of stdin in the middle of a checkpoint ends the processor": (
        [*OPENING, records(ONE), asks("101"), HANG_UP, ends(1)],
        0,
    ),
}


@pytest.mark.parametrize("claim", STORIES)
def test_conversation(stage: Stage, claim: str) -> None:
    """The processor answers as the story says, and exactly these flows are published."""
    steps, flows = STORIES[claim]

    stage.play(*steps)

    assert flows == stage.flows


def test_garbage_is_counted_by_reason_and_kept(stage: Stage) -> None:
    """Each bad payload and line has its reason and its dead letter; the books balance."""
    stage.play(*OPENING, records(ONE, GARBAGE, BOMB, MIXED), asks("105"), acknowledge("105"), done("processRecords"))

    totals = stage.totals.counts
    assert {
        "payload_encoding": 1,
        "payload_too_large": 1,
        "bad_number": 1,
    } == {label: number for (name, label), number in totals.items() if name == counts.MALFORMED}
    assert {"counted": 3, "malformed": 1} == {
        label: number for (name, label), number in totals.items() if name == counts.EVENTS
    }
    letters = [letter for _, letter in stage.ledger.dead_letters()]
    assert [("103", "payload"), ("104", "payload"), ("105", "line")] == [
        (letter.sequence_number, letter.kind) for letter in letters
    ]
    assert ODD == letters[2].body


def test_an_exception_ends_the_processor_before_the_status(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Without its inventory the processor writes no status, and the launcher logs why."""
    stage.play(*OPENING)
    stage.inventory.unlink()

    stage.play(records(ONE), ends(1))

    assert 0 == stage.flows
    assert eventually(lambda: any(record.message == "Processor failed" for record in caplog.records))
    (failure,) = (record for record in caplog.records if record.message == "Processor failed")
    assert "inventory.json" in failure.fields["error"]
    assert "Traceback" in failure.fields["trace"]


def test_a_processor_of_an_older_generation_claims_nothing(stage: Stage) -> None:
    """A processor that outlived its daemon can't take a shard from its successor."""
    old = stage.ledger.begin_generation()
    stage.ledger.begin_generation()
    stage.start(old)

    stage.play(initialize(), ends(1))


def test_a_processor_whose_shard_was_taken_over_commits_nothing(stage: Stage) -> None:
    """After another processor has claimed the shard, an earlier processor can't even prepare."""
    generation = stage.ledger.begin_generation()
    stage.start(generation)
    stage.play(*OPENING)

    stage.ledger.claim("shardId-000000000000", generation)

    stage.play(records(ONE), ends(1))

    assert 0 == stage.flows


def test_a_processor_whose_lease_is_gone_already_counts_nothing(stage: Stage) -> None:
    """Its claim is refused; the owner of the lease counts the records."""
    stage.owner = ELSEWHERE

    stage.play(*OPENING, records(ONE), done("processRecords"), say("leaseLost"), done("leaseLost"), HANG_UP, ends(0))

    assert 0 == stage.flows


def test_a_processor_whose_lease_is_gone_at_the_shards_end_ends(stage: Stage) -> None:
    """Without a claim the end of a shard must not be checkpointed either."""
    stage.owner = ELSEWHERE

    stage.play(*OPENING, say("shardEnded"), ends(1))


def test_signals_are_ignored(stage: Stage) -> None:
    """A signal to the whole process group must not prevent the last checkpoint."""
    stage.play(*OPENING)

    stage.signal(signal.SIGTERM)
    stage.signal(signal.SIGINT)

    stage.play(records(ONE), asks("101"), acknowledge("101"), done("processRecords"), HANG_UP, ends(0))


def test_denials_are_written_before_the_checkpoint(stage: Stage) -> None:
    """So that each rejected flow is written at least once."""
    stage.play(*OPENING, records((101, payload(DENIED))), asks("101"))

    written = stage.denials.getvalue().decode()
    assert '"dstport":3389' in written
    assert written.count("\n") == 1


def test_a_shard_is_held_for_as_long_as_its_processor_lives(stage: Stage) -> None:
    """The launcher sees a shard from `initialize` to the end of its processor, however that ends."""

    def held() -> list[str]:
        return [shard.shard_id for shard in stage.inbox.shards()]

    stage.play(*OPENING)
    assert eventually(lambda: ["shardId-000000000000"] == held())

    stage.play(KILL)

    assert eventually(lambda: [] == held())


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


ACTIONS = ("ACCEPT", "REJECT")
# Bytes that a processor may hold for the largest batch.
MOST_MEMORY = 200_000_000


def test_envelopes_of_thousands_of_events_make_one_commit(stage: Stage) -> None:
    """A record of a megabyte may hold as many events, and a batch ten such records."""
    batch = [(101 + number, payload(*[GOOD] * 5_000, log_stream=f"eni-a-{number}")) for number in range(5)]

    stage.play(*OPENING, records(*batch), asks("105"), acknowledge("105"), done("processRecords"), HANG_UP, ends(0))

    assert 25_000 == stage.flows


def test_the_largest_batch_takes_bounded_memory(tmp_path: Path) -> None:
    """Kinesis delivers up to ten megabytes at once; these flows compress as badly as real traffic."""
    rng = random.Random(1)
    batch: list[tuple[int, bytes]] = []
    flows = 0
    while sum(len(data) for _, data in batch) < 10_000_000:
        lines = [
            f"2 1 eni-a 10.0.1.10 {ipaddress.IPv4Address(rng.getrandbits(32))} {rng.randrange(1024, 65536)} 443 6"
            f" {rng.randrange(1, 100)} {rng.randrange(100, 10**6)} 1700000000 1700000060 {rng.choice(ACTIONS)} OK"
            for _ in range(40_000)
        ]
        batch.append((101 + len(batch), payload(*lines, log_stream=f"eni-a-{len(batch)}")))
        flows += len(lines)
    last = str(batch[-1][0])

    with closing(Stage(tmp_path, payload_limit=100_000_000, log_deny=False)) as stage:
        stage.play(*OPENING, records(*batch), asks(last))
        peak = stage.peak_memory
        stage.play(acknowledge(last), done("processRecords"), HANG_UP, ends(0))

        assert flows == stage.flows
        assert peak < MOST_MEMORY


def test_a_blocked_stdout_holds_the_checkpoint_back_and_loses_nothing(stage: Stage) -> None:
    """With more denials than a pipe holds the processor waits for a reader, and each denial is written."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as pipe, os.fdopen(writer, "wb") as stdout:
        stage.inbox._denials = stdout
        stage.play(*OPENING, records((101, payload(*[DENIED] * 3000))))
        assert eventually(lambda: stage.inbox.is_writing_denials)
        assert stage.is_silent(1.0)

        written = []
        read = threading.Thread(target=lambda: written.extend(islice(pipe, 3000)))
        read.start()
        stage.play(asks("101"), acknowledge("101"), done("processRecords"), HANG_UP, ends(0))
        read.join(PATIENCE)

    assert 3000 == len(written)
    assert 3000 == stage.flows


UNLISTED = "2 1 eni-z 10.0.1.50 10.0.1.60 40000 3389 6 1 40 1700000000 1700000060 REJECT OK"
SECOND_PEER = "2 1 eni-z 10.0.1.50 198.51.100.7 40000 443 6 1 40 1700000000 1700000060 ACCEPT OK"


@pytest.mark.parametrize(
    ("more", "flows", "unattributed"), [((), 0, 1), ((SECOND_PEER,), 2, 0)], ids=["in vain", "until it is known"]
)
def test_waiting_records_are_counted_with_their_commit(
    stage: Stage, more: tuple[str, ...], flows: int, unattributed: int
) -> None:
    """A record of an interface not known well enough waits until its commit at most, and so does its denial."""
    batch = [(101, payload(UNLISTED, log_stream="eni-z-all"))]
    batch += [(102, payload(line, log_stream="eni-z-all")) for line in more]
    last = str(batch[-1][0])

    stage.play(*OPENING, records(*batch), asks(last))
    denials = stage.denials.getvalue().splitlines()
    stage.play(acknowledge(last), done("processRecords"), HANG_UP, ends(0))

    assert 1 == len(denials)
    assert (flows, unattributed) == (stage.flows, stage.count(counts.EVENTS, "unattributed"))
