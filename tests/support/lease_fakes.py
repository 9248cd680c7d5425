"""A lease table in memory, with the conditions of the real one."""

from __future__ import annotations

from kcl_flowlog.commits.claims import LeaseRow, with_claim
from kcl_flowlog.counting.positions import Position

HERE, ELSEWHERE = "here", "elsewhere"
START = Position("TRIM_HORIZON")


class FakeLeases:
    """Rows by shard; what the KCL does to them is done by the test."""

    def __init__(self) -> None:
        self.rows: dict[str, LeaseRow] = {}

    def row(self, shard_id: str) -> LeaseRow | None:
        return self.rows.get(shard_id)

    def add_claim(self, shard_id: str, row: LeaseRow, token: str, suspect: str = "") -> bool:
        if self.rows.get(shard_id) != row:
            return False
        self.rows[shard_id] = row._replace(claims=with_claim(row, token, suspect))
        return True

    def assign(self, shard_id: str, owner: str, checkpoint: Position) -> None:
        """Let the KCL lease a shard, or lease it again, with this checkpoint."""
        claims = self.rows[shard_id].claims if shard_id in self.rows else ""
        self.rows[shard_id] = LeaseRow(owner, checkpoint, claims)

    def claim_elsewhere(self, shard_id: str, checkpoint: Position, token: str = "other", suspect: str = "") -> None:
        """Let another instance take a shard and begin from this checkpoint."""
        self.assign(shard_id, ELSEWHERE, checkpoint)
        assert self.add_claim(shard_id, self.rows[shard_id], token, suspect)
