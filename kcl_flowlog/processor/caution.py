"""How a processor goes on after deaths that nobody can explain, so that the next one can.

After groups of records: if it dies, the next processor has at most a group between the checkpoint and the record that
kills. Singly: it names each record in its claim before it counts it, and commits after it. Once it has lived
through that, its claim says so. Raises `LeaseLost` if the claim is not the shard's last any more.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from kcl_flowlog.commits.claims import Care, digest
from kcl_flowlog.commits.holders import Claim
from kcl_flowlog.commits.messages import ClaimNote, Messenger
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.processor.unheld_shard import LeaseLost

GROUP = 100
"""How many records a processor counts before each commit."""
SINGLES = 2 * GROUP
"""After how many records, singly, nothing is left of the group that killed."""
INTERVALS = 5
"""For how many checkpoint intervals from the first record it is careful; a normal processor commits after one."""

# If one record kills the whole instance, other shards' processors should not have their first record in hand just then.
_SPREAD = 5.0
_RETRY_PAUSE = 1.0


class Caution:
    """The careful phase of one claim."""

    def __init__(
        self,
        claim: Claim,
        care: Care,
        messenger: Messenger,
        checkpoint_interval: float,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`care` is GROUPS or SINGLE; `jitter` returns a number of seconds between two bounds."""
        self._claim = claim
        self._care = care
        self._messenger = messenger
        self._duration = INTERVALS * checkpoint_interval
        self._monotonic = monotonic
        self._sleep = sleep
        self._jitter = jitter
        self._began_at: float | None = None
        self._counted = 0

    def begin_record(self, position: Position) -> None:
        """Prepare for the next record: name it in the claim if it is counted singly."""
        if self._began_at is None:
            if self._care is Care.SINGLE:
                self._sleep(self._jitter(0.0, _SPREAD))
            self._began_at = self._monotonic()
        if self._care is Care.SINGLE:
            while not self._note(self._care, digest(position)):
                self._sleep(_RETRY_PAUSE)

    def end_record(self) -> bool:
        """Note that a record was counted; return whether it is time to commit."""
        self._counted += 1
        return self._care is Care.SINGLE or self._counted % GROUP == 0

    def is_over(self) -> bool:
        """Return whether the careful phase is over, and the claim says so."""
        if self._began_at is None:
            return False
        is_long = self._monotonic() - self._began_at >= self._duration
        is_through = self._care is Care.SINGLE and self._counted >= SINGLES
        return (is_long or is_through) and self.survive()

    def survive(self) -> bool:
        """Let the claim say that its holder has survived; return whether it could be written."""
        return self._note(Care.SURVIVED, "")

    def _note(self, care: Care, in_hand: str) -> bool:
        note = ClaimNote(self._claim.shard_id, self._claim.token, care.value, in_hand)
        words = self._messenger.request(note)
        if words is None:
            raise LeaseLost(self._claim.shard_id)
        return not words
