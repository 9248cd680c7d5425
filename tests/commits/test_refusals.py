"""What each refusal of a checkpoint means."""

from __future__ import annotations

import pytest

from kcl_flowlog.commits.refusals import CHECKPOINT_OUTCOMES, CheckpointRefused, Reaction, reaction_to

REACTIONS = {
    "ThrottlingException": Reaction.RETRY,
    "KinesisClientLibDependencyException": Reaction.RETRY_IN_DOUBT,
    "ShutdownException": Reaction.LOST,
    "InvalidStateException": Reaction.FATAL,
    "IllegalArgumentException": Reaction.FATAL,
    "an exception of a later release": Reaction.RETRY_IN_DOUBT,
}


@pytest.mark.parametrize("name", REACTIONS)
def test_each_refusal_has_its_reaction(name: str) -> None:
    """An unknown exception may have come after the checkpoint was written."""
    assert REACTIONS[name] is reaction_to(CheckpointRefused(name))


def test_a_refusal_names_the_exception() -> None:
    """As a sentence, and by itself."""
    refused = CheckpointRefused("ShutdownException")

    assert "The KCL refused a checkpoint: ShutdownException." == str(refused)
    assert "ShutdownException" == refused.name


def test_the_outcomes_of_checkpoints_are_those_of_the_metric() -> None:
    """The values of `flowlog_checkpoints_total{outcome}`, which stay."""
    assert ("ok", "throttled", "ambiguous", "lost", "failed") == CHECKPOINT_OUTCOMES
