"""The commit of one shard: prepare, checkpoint, fold; and what each refusal means.

1. The ledger prepares the delta, counted since the last checkpoint up to a position.
2. The KCL checkpoints that position in the lease table.
3. The ledger folds the delta into the totals.

`Committer` promises that a delta is folded only when its checkpoint is
certain, and otherwise stays prepared: until the same holder has tried again
with success, or until the lease table has told what became of it. Whatever it
does not understand it raises, which must end the process before a status is
written.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from typing import Protocol

from kcl_flowlog.commits.holders import Claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.refusals import REACTIONS, CheckpointRefused, Reaction
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.processor import faults


class Checkpointer(Protocol):
    """Step 2 as the commit sees it. Raises `CheckpointRefused`."""

    def checkpoint(self, position: Position | None) -> None:
        """Checkpoint `position`, or with None all that was delivered, the shard's end included."""


class Outcome(enum.Enum):
    """How a commit ended."""

    DONE = "done"
    LATER = "later"
    """Not now: the delta waits, prepared, and has to be tried again."""
    LOST = "lost"
    """The lease is gone, and with it the right to count."""


class Committer:
    """Commits the deltas of one claim, one after the other."""

    def __init__(
        self,
        ledger: Ledger,
        claim: Claim,
        sleep: Callable[[float], None],
        tries: int = 5,
        at: faults.At = faults.nowhere,
    ) -> None:
        self._ledger = ledger
        self._claim = claim
        self._sleep = sleep
        self._tries = tries
        self._at = at
        self._prepared: Position | None = None

    @property
    def has_prepared(self) -> bool:
        """Whether a delta waits for its checkpoint; another one can't be prepared meanwhile."""
        return self._prepared is not None

    def prepare(self, delta: Delta, upto: Position) -> None:
        """Write down what was counted up to `upto`; from here on it is the ledger's, and `finish` publishes it."""
        self._at(faults.COUNTED)
        self._ledger.prepare(self._claim, upto, delta.snapshot())
        self._prepared = upto
        self._at(faults.PREPARED)

    def finish(self, checkpointer: Checkpointer) -> Outcome:
        """Checkpoint what is prepared, if anything, and fold it. Raises `CheckpointRefused` for a fatal refusal."""
        if self._prepared is None:
            return Outcome.DONE
        refusal = self._checkpoint(self._prepared, checkpointer)
        if refusal is None:
            self._at(faults.CHECKPOINTED)
            self._ledger.fold(self._claim)
            self._at(faults.FOLDED)
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
            try:
                checkpointer.checkpoint(upto)
            except CheckpointRefused as refused:
                reaction = REACTIONS.get(refused.name, Reaction.RETRY_IN_DOUBT)
                if reaction is Reaction.LOST:
                    return reaction
                if reaction is Reaction.FATAL:
                    self._ledger.note_refusal(self._claim, reaction.value)
                    raise
                in_doubt = in_doubt or reaction is Reaction.RETRY_IN_DOUBT
                last = refused
            else:
                return None
        if in_doubt:
            # The KCL may be at odds with the lease table now; a new daemon reads it anew.
            self._ledger.note_refusal(self._claim, Reaction.RETRY_IN_DOUBT.value)
            raise last
        return Reaction.RETRY


def _pause(attempt: int) -> float:
    """Return seconds to wait before another try: doubling to ten, with jitter as many shards share the table."""
    return float(min(10.0, 0.2 * 2**attempt) * random.uniform(0.5, 1.0))  # noqa: S311
