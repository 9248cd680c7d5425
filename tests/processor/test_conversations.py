"""Conversations of the MultiLang protocol with a real processor: what it answers, and what is counted by then."""

from __future__ import annotations

import gzip
import ipaddress
import os
import random
import signal
import threading
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.counting import counts
from tests.support.conversation import (
    DENIED,
    GOOD,
    HANG_UP,
    KILL,
    ODD,
    PATIENCE,
    Stage,
    acknowledge,
    as_line,
    asks,
    damaged,
    done,
    elsewhere,
    ends,
    initialize,
    part_of,
    payload,
    records,
    say,
)
from tests.support.examples import HAS_ALL
from tests.support.lease_fakes import ELSEWHERE
from tests.support.log_records import fields
from tests.support.measuring import unmeasured
from tests.support.waiting import eventually

ONE = (101, payload(GOOD))
TWO = (102, payload(GOOD, GOOD))
GARBAGE = (103, b"neither gzip nor JSON")
BOMB = (104, gzip.compress(b"0" * 5_000_000))
MIXED = (105, payload(GOOD, ODD, DENIED))

OPENING = [initialize(), done("initialize")]
BATCH = records(ONE, TWO)
ANSWERED = [BATCH, asks("102"), acknowledge("102"), done("processRecords"), HANG_UP, ends(0)]
AGAIN = [*OPENING, *ANSWERED]
"""The batch is delivered to the next processor."""
REFUSED = [asks("101"), acknowledge("101", "ThrottlingException")]
DOUBTED = [asks("101"), acknowledge("101", "KinesisClientLibDependencyException")]


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
    **{
        f"the daemon is killed as it writes a batch, {where}: nothing is committed, and all of it comes again": (
            [*OPENING, part_of(BATCH, size), HANG_UP, ends(1), *AGAIN],
            3,
        )
        for where, size in {
            "its begin": 20,
            "its first record": 80,
            "between its records": as_line(BATCH[1]).index(b",{"),
            "its last record": -40,
            "all but its end": -3,
        }.items()
    },
    "killed with a batch of which only a part was read: all of it comes again": (
        [*OPENING, part_of(BATCH, -40), KILL, *AGAIN],
        3,
    ),
    **{
        f"a batch is damaged, {where}: the processor ends without a status, and nothing is committed": (
            [*OPENING, damaged(BATCH, place), ends(1), *AGAIN],
            3,
        )
        for where, place in {
            "in its last record": -40,
            "at its end": -2,
            "between": as_line(BATCH[1]).index(b",{"),
        }.items()
    },
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


def test_a_processor_that_the_daemon_starts_says_the_same_as_a_forked(stage: Stage) -> None:
    """The other conversations leave out the interpreter's start, which takes longer than most of them."""
    stage.start(is_forked=False)

    stage.play(*OPENING, records(ONE, GARBAGE, BOMB, MIXED), asks("105"), acknowledge("105"), done("processRecords"))
    stage.play(HANG_UP, ends(0))

    assert 3 == stage.flows


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
    assert "inventory.packed" in fields(failure)["error"]
    assert "Traceback" in fields(failure)["trace"]


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


ACTIONS = ("ACCEPT", "REJECT")
# Bytes that a processor may hold for the largest batch.
MOST_MEMORY = 100_000_000


def test_envelopes_of_thousands_of_events_make_one_commit(stage: Stage) -> None:
    """A record of a megabyte may hold as many events, and a batch ten such records."""
    batch = [(101 + number, payload(*[GOOD] * 5_000, log_stream=f"eni-a-{number}")) for number in range(5)]

    stage.play(*OPENING, records(*batch), asks("105"), acknowledge("105"), done("processRecords"), HANG_UP, ends(0))

    assert 25_000 == stage.flows


# Kinesis delivers up to ten megabytes at once.
LARGEST_BATCH = 10_000_000 if HAS_ALL else 2_500_000


def test_the_largest_batch_takes_bounded_memory(tmp_path: Path) -> None:
    """These flows compress as badly as real traffic; with a part of the examples, it is a part of the batch."""
    rng = random.Random(1)
    batch: list[tuple[int, bytes]] = []
    flows = 0
    while sum(len(data) for _, data in batch) < LARGEST_BATCH:
        lines = [
            f"2 1 eni-a 10.0.1.10 {ipaddress.IPv4Address(rng.getrandbits(32))} {rng.randrange(1024, 65536)} 443 6"
            f" {rng.randrange(1, 100)} {rng.randrange(100, 10**6)} 1700000000 1700000060 {rng.choice(ACTIONS)} OK"
            for _ in range(40_000)
        ]
        batch.append((101 + len(batch), payload(*lines, log_stream=f"eni-a-{len(batch)}")))
        flows += len(lines)
    last = str(batch[-1][0])

    with closing(Stage(tmp_path, payload_limit=100_000_000, log_deny="")) as stage:
        with unmeasured():
            stage.start(is_forked=False)
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

        written: list[bytes] = []
        read = threading.Thread(target=lambda: written.extend(islice(pipe, 3000)))
        read.start()
        stage.play(asks("101"), acknowledge("101"), done("processRecords"), HANG_UP, ends(0))
        read.join(PATIENCE)

    assert 3000 == len(written)
    assert 3000 == stage.flows


UNLISTED = "2 1 eni-0000000f 10.0.1.50 10.9.0.60 40000 3389 6 1 40 1700000000 1700000060 REJECT OK"
SECOND_PEER = "2 1 eni-0000000f 10.0.1.50 198.51.100.7 40000 443 6 1 40 1700000000 1700000060 ACCEPT OK"


@pytest.mark.parametrize(
    ("more", "flows", "unattributed"), [((), 0, 1), ((SECOND_PEER,), 2, 0)], ids=["in vain", "until it is known"]
)
def test_waiting_records_are_counted_with_their_commit(
    stage: Stage, more: tuple[str, ...], flows: int, unattributed: int
) -> None:
    """A record of an interface not known well enough waits until its commit at most, and so does its denial."""
    batch = [(101, payload(UNLISTED, log_stream="eni-0000000f-all"))]
    batch += [(102, payload(line, log_stream="eni-0000000f-all")) for line in more]
    last = str(batch[-1][0])

    stage.play(*OPENING, records(*batch), asks(last))
    denials = stage.denials.getvalue().splitlines()
    stage.play(acknowledge(last), done("processRecords"), HANG_UP, ends(0))

    assert 1 == len(denials)
    assert (flows, unattributed) == (stage.flows, stage.count(counts.EVENTS, "unattributed"))
