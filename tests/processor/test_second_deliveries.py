"""Second deliveries to a processor, across its death, a refused checkpoint and a commit in doubt."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.conversation import (
    GOOD,
    KILL,
    Stage,
    acknowledge,
    asks,
    done,
    initialize,
    payload,
    records,
)

ENVELOPE = payload(GOOD)
OPENING = [initialize(), done("initialize")]
COMMITTED = [asks("101"), acknowledge("101"), done("processRecords")]

# The claim, the conversation in which ENVELOPE is delivered as record 101 and again, and the flows counted in the end.
STORIES: dict[str, tuple[list[tuple[str, Any]], int]] = {
    "delivered again in the same batch": (
        [*OPENING, records((101, ENVELOPE), (102, ENVELOPE)), asks("102"), acknowledge("102"), done("processRecords")],
        1,
    ),
    "delivered again to the next processor": (
        [
            *[*OPENING, records((101, ENVELOPE)), *COMMITTED, KILL, initialize("101"), done("initialize")],
            *[records((102, ENVELOPE)), asks("102"), acknowledge("102"), done("processRecords")],
        ],
        1,
    ),
    "the first was committed, but not folded": (
        [
            *[*OPENING, records((101, ENVELOPE)), asks("101"), KILL, initialize("101"), done("initialize")],
            *[records((102, ENVELOPE)), asks("102"), acknowledge("102"), done("processRecords")],
        ],
        1,
    ),
    "the first was never committed, and comes again": (
        [
            *[*OPENING, records((101, ENVELOPE)), asks("101"), KILL, *OPENING],
            *[records((101, ENVELOPE)), *COMMITTED],
        ],
        1,
    ),
    "throttled, and committed before the next": (
        [
            *OPENING,
            records((101, ENVELOPE)),
            *[asks("101"), acknowledge("101", "ThrottlingException")] * 5,
            done("processRecords"),
            *[records((102, ENVELOPE)), asks("101"), acknowledge("101")],
            *[asks("102"), acknowledge("102"), done("processRecords")],
        ],
        1,
    ),
    "checkpointed, then killed before it was counted": (
        [
            *[*OPENING, records((101, ENVELOPE)), asks("101"), KILL],
            *[initialize("101"), done("initialize")],
            *[records((102, ENVELOPE)), asks("102"), acknowledge("102"), done("processRecords")],
        ],
        1,
    ),
}


@pytest.mark.parametrize("claim", STORIES)
def test_an_envelope_counts_once(stage: Stage, claim: str) -> None:
    """An envelope that was counted never counts again; an envelope that was not counted counts when it comes again."""
    steps, flows = STORIES[claim]

    stage.play(*steps)

    assert flows == stage.flows
