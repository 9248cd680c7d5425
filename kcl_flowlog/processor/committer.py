"""The commits of one shard: prepare, checkpoint, fold; and the reaction to each refusal.

1. The ledger prepares the delta, counted since the last checkpoint up to a position.
2. The KCL checkpoints that position in the lease table.
3. The ledger folds the delta into the totals.

`Committer` promises that a delta is folded only after its checkpoint is
certain. Until then it stays prepared: either the same holder succeeds later,
or the lease table tells the outcome. What the committer can't handle it
raises, which must end the process before a status is written.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from typing import Protocol

from kcl_flowlog.commits.holders import Claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.refusals import CheckpointRefused, Reaction, reaction_to
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.processor import faults

_TRIES = 5
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0


class Checkpointer(Protocol):
    """Step 2, as the committer sees it."""

    def checkpoint(self, position: Position | None) -> None:
        """Checkpoint `position`, or if None all that was delivered, including the shard's end.

        Raises `CheckpointRefused`.
        """


class Outcome(enum.Enum):
    """How a commit ended."""

    DONE = "done"
    LATER = "later"
    """The delta stays prepared, and has to be tried again."""
    LOST = "lost"
    """The lease is gone, and with it the right to count."""


class Committer:
    """Commits the deltas of one claim, one after another."""

    def __init__(
        self,
        ledger: Ledger,
        claim: Claim,
        sleep: Callable[[float], None],
        jitter: Callable[[float, float], float] = random.uniform,
        fault_point: faults.FaultPoint = faults.no_fault,
    ) -> None:
        """`jitter` returns a factor between two bounds; each pause between two tries is multiplied by it."""
        self._ledger = ledger
        self._claim = claim
        self._sleep = sleep
        self._jitter = jitter
        self._fault_point = fault_point
        self._prepared: Position | None = None

    @property
    def has_prepared(self) -> bool:
        """Whether a delta waits for its checkpoint; no other delta can be prepared until then."""
        return self._prepared is not None

    def prepare(self, delta: Delta, upto: Position, *, is_end: bool = False) -> None:
        """Write down what was counted up to `upto`, for `finish` to publish.

        `is_end` tells that the shard has ended.
        """
        self._fault_point(faults.COUNTED)
        self._ledger.prepare(self._claim, upto, delta.snapshot(), is_end=is_end)
        self._prepared = upto
        self._fault_point(faults.PREPARED)

    def finish(self, checkpointer: Checkpointer) -> Outcome:
        """Checkpoint what is prepared, if anything, and fold it.

        Raises `CheckpointRefused` if the refusal is fatal, or if it is still in doubt after all tries.
        """
        if self._prepared is None:
            return Outcome.DONE
        refusal = self._checkpoint(self._prepared, checkpointer)
        if refusal is None:
            self._fault_point(faults.CHECKPOINTED)
            self._ledger.fold(self._claim)
            self._fault_point(faults.FOLDED)
            self._prepared = None
            return Outcome.DONE
        self._ledger.note_refusal(self._claim, refusal.value)
        if refusal is Reaction.RETRY:
            return Outcome.LATER
        self.abandon()
        return Outcome.LOST

    def abandon(self) -> None:
        """Leave what is prepared, if anything, to the lease table: this claim makes no more checkpoints."""
        if self._prepared is not None:
            self._ledger.abandon(self._claim)
            self._prepared = None

    def announce_end(self) -> None:
        """Write down that nothing more will be prepared, and that the KCL may write the shard's end from now on."""
        self._ledger.note_end(self._claim)

    def end_shard(self, checkpointer: Checkpointer) -> Outcome:
        """Checkpoint the shard's end, with as many tries as it takes; return DONE or LOST.

        The KCL asks for it only once: without this checkpoint the child shards are never read.
        """
        attempt = 0
        while True:
            try:
                checkpointer.checkpoint(None)
            except CheckpointRefused as refused:
                reaction = reaction_to(refused)
                if reaction is Reaction.LOST:
                    return Outcome.LOST
                if reaction is Reaction.FATAL:
                    raise
                self._pause(attempt)
                attempt += 1
            else:
                return Outcome.DONE

    def _checkpoint(self, upto: Position, checkpointer: Checkpointer) -> Reaction | None:
        """Try step 2; return None if it succeeded, else LOST, or RETRY after all tries."""
        doubt: CheckpointRefused | None = None
        for attempt in range(_TRIES):
            if attempt:
                self._pause(attempt - 1)
            try:
                checkpointer.checkpoint(upto)
            except CheckpointRefused as refused:
                reaction = reaction_to(refused)
                if reaction is Reaction.LOST:
                    return reaction
                if reaction is Reaction.FATAL:
                    self._ledger.note_refusal(self._claim, reaction.value)
                    raise
                if reaction is Reaction.RETRY_IN_DOUBT:
                    doubt = refused
            else:
                return None
        if doubt is not None:
            # The KCL's view of the lease may differ from the lease table; only a new daemon reads it again.
            self._ledger.note_refusal(self._claim, Reaction.RETRY_IN_DOUBT.value)
            raise doubt
        return Reaction.RETRY

    def _pause(self, attempt: int) -> None:
        # With jitter, as many shards share the lease table.
        self._sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt) * self._jitter(0.5, 1.0))
