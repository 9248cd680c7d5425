"""amazon_kclpy's checkpointer, as the committer sees it."""

from __future__ import annotations

from amazon_kclpy import kcl

from kcl_flowlog.commits.refusals import CheckpointRefused
from kcl_flowlog.counting.positions import Position


class KclCheckpointer:
    """Checkpoints through the KCL; valid for one callback."""

    def __init__(self, checkpointer: kcl.Checkpointer) -> None:
        self._checkpointer = checkpointer

    def checkpoint(self, position: Position | None) -> None:
        """Checkpoint `position`, or if None all that was delivered. Raises `CheckpointRefused`."""
        try:
            if position is None:
                self._checkpointer.checkpoint()
            else:
                self._checkpointer.checkpoint(position.sequence, position.sub_sequence)
        except kcl.CheckpointError as error:
            raise CheckpointRefused(str(error.value)) from error
