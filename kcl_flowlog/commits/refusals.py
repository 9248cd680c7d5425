"""Why the KCL refused a checkpoint, and how to react.

The table maps the simple class names of KCL exceptions
(`ShardRecordProcessorCheckpointer` and `DynamoDBCheckpointer` of
amazon-kinesis-client 3.1.3) to a reaction. Pure: knows no protocol and no
ledger.
"""

from __future__ import annotations

import enum

from kcl_flowlog.errors import FlowlogError


class CheckpointRefused(FlowlogError):
    """The KCL answered a checkpoint with an error; `name` is its exception's simple class name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The KCL refused a checkpoint: {name}.")
        self.name = name


class Reaction(enum.Enum):
    """How to react to a refused checkpoint."""

    RETRY = "throttled"
    RETRY_IN_DOUBT = "ambiguous"
    LOST = "lost"
    FATAL = "failed"


# A reaction's value is the outcome that flowlog_checkpoints_total counts it under.
_REACTIONS = {
    # DynamoDB had no capacity.
    "ThrottlingException": Reaction.RETRY,
    # DynamoDB failed or did not answer in time: the checkpoint may have been written.
    "KinesisClientLibDependencyException": Reaction.RETRY_IN_DOUBT,
    # Another worker has the lease; nothing can be checkpointed any more.
    "ShutdownException": Reaction.LOST,
    # The lease table is missing, or the protocol is out of step.
    "InvalidStateException": Reaction.FATAL,
    # The position is outside of what was delivered: a bug in this package.
    "IllegalArgumentException": Reaction.FATAL,
}

CHECKPOINT_OUTCOMES = ("ok", *(reaction.value for reaction in Reaction))
"""The outcomes of checkpoints in the ledger's counts."""


def reaction_to(refused: CheckpointRefused) -> Reaction:
    """Return how to react to a refusal; an unknown exception leaves in doubt whether the checkpoint was written."""
    return _REACTIONS.get(refused.name, Reaction.RETRY_IN_DOUBT)
