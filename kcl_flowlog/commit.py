"""The commit of one shard: prepare, checkpoint, fold; and what each refusal means.

1. The ledger prepares the delta, from the last checkpoint up to a position.
2. The KCL checkpoints that position in the lease table.
3. The ledger folds the delta into the totals.

`Committer` promises that a delta is folded only when its checkpoint is
certain, dropped only when it certainly did not happen, and left prepared when
nothing is certain: the next `claim` of the shard settles it. Whatever it does
not understand it raises, which must end the process before a status is
written.

The refusals are the simple class names of KCL exceptions:
`ShardRecordProcessorCheckpointer` and `DynamoDBCheckpointer` of
amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from typing import Protocol

from kcl_flowlog import faults
from kcl_flowlog.counters import Delta
from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.ledger import Claim, Ledger
from kcl_flowlog.positions import Position


class CheckpointRefused(FlowlogError):
    """The KCL answered a checkpoint with an error; `name` is its exception's simple class name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The KCL refused a checkpoint: {name}")
        self.name = name


class Checkpointer(Protocol):
    """Step 2 as the commit sees it. Raises `CheckpointRefused`."""

    def checkpoint(self, position: Position | None) -> None:
        """Checkpoint `position`, or with None all that was delivered, the shard's end included."""


class Reaction(enum.Enum):
    """What to do about a refused checkpoint."""

    RETRY = "throttled"
    RETRY_IN_DOUBT = "ambiguous"
    LOST = "lost"
    FATAL = "failed"


# The value of a reaction is the outcome that flowlog_checkpoints_total counts it under.
REACTIONS = {
    # DynamoDB had no capacity: it was not written.
    "ThrottlingException": Reaction.RETRY,
    # DynamoDB failed or did not answer in time: it may have been written.
    "KinesisClientLibDependencyException": Reaction.RETRY_IN_DOUBT,
    # The lease is someone else's; nothing can be checkpointed any more.
    "ShutdownException": Reaction.LOST,
    # The lease table is missing, or the protocol is out of step.
    "InvalidStateException": Reaction.FATAL,
    # A position outside of what was delivered: a fault of ours.
    "IllegalArgumentException": Reaction.FATAL,
}

CHECKPOINT_OUTCOMES = ("ok", *(reaction.value for reaction in Reaction))


class Outcome(enum.Enum):
    """How a commit ended."""

    DONE = "done"
    LATER = "later"
    """Not now: nothing is lost, the counts wait for the next commit."""
    LOST = "lost"
    """The lease is gone, and with it the right to count."""


class Committer:
    """Commits the deltas of one shard, from the checkpoint it was claimed at."""

    def __init__(
        self,
        ledger: Ledger,
        claim: Claim,
        base: Position,
        sleep: Callable[[float], None],
        tries: int = 5,
        at: faults.At = faults.nowhere,
    ) -> None:
        self._ledger = ledger
        self._claim = claim
        self._base = base
        self._sleep = sleep
        self._tries = tries
        self._at = at

    def commit(self, delta: Delta, upto: Position, checkpointer: Checkpointer) -> Outcome:
        """Commit what was counted up to `upto`. Raises `CheckpointRefused` for a fatal refusal."""
        self._at(faults.COUNTED)
        self._ledger.prepare(self._claim, self._base, upto, delta.snapshot())
        self._at(faults.PREPARED)
        refusal = self._checkpoint(upto, checkpointer)
        if refusal is None:
            self._at(faults.CHECKPOINTED)
            self._ledger.fold(self._claim)
            self._at(faults.FOLDED)
            self._base = upto
            return Outcome.DONE
        if refusal is Reaction.RETRY:
            self._ledger.drop(self._claim, refusal.value)
            return Outcome.LATER
        self._ledger.leave(self._claim, refusal.value, answered=True)
        return Outcome.LOST

    def end_shard(self, checkpointer: Checkpointer) -> Outcome:
        """Checkpoint the shard's end, trying for as long as it takes.

        The KCL never asks again for it: without this checkpoint the shards
        that follow this one would never be read.
        """
        attempt = 0
        while True:
            try:
                checkpointer.checkpoint(None)
            except CheckpointRefused as refused:
                reaction = REACTIONS.get(refused.name, Reaction.RETRY_IN_DOUBT)
                if reaction is Reaction.LOST:
                    return Outcome.LOST
                if reaction is Reaction.FATAL:
                    raise
                self._sleep(_pause(attempt))
                attempt += 1
            else:
                return Outcome.DONE

    def _checkpoint(self, upto: Position, checkpointer: Checkpointer) -> Reaction | None:
        """Try step 2; return None when it happened, else the refusal that decides."""
        in_doubt = False
        for attempt in range(self._tries):
            if attempt:
                self._sleep(_pause(attempt - 1))
                if not in_doubt:
                    self._ledger.ask_again(self._claim)
            try:
                checkpointer.checkpoint(upto)
            except CheckpointRefused as refused:
                reaction = REACTIONS.get(refused.name, Reaction.RETRY_IN_DOUBT)
                if reaction is Reaction.LOST:
                    return reaction
                if reaction is Reaction.FATAL:
                    self._ledger.leave(self._claim, reaction.value, answered=False)
                    raise
                in_doubt = in_doubt or reaction is Reaction.RETRY_IN_DOUBT
                last = refused
            else:
                return None
        if in_doubt:
            # Nobody can say whether it was written. The next holder's first message tells.
            self._ledger.leave(self._claim, Reaction.RETRY_IN_DOUBT.value, answered=False)
            raise last
        return Reaction.RETRY


def _pause(attempt: int) -> float:
    """Return seconds to wait before another try: doubling to ten, with jitter as many shards share the table."""
    return float(min(10.0, 0.2 * 2**attempt) * random.uniform(0.5, 1.0))  # noqa: S311
