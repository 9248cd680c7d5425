"""A lease table in memory, with the conditions of the real table."""

from __future__ import annotations

from kcl_flowlog.commits.claims import Care, LeaseRow, with_claim
from kcl_flowlog.counting.positions import Position

HERE, ELSEWHERE = "here", "elsewhere"
START = Position("TRIM_HORIZON")


class FakeLeases:
    """Rows by shard; the test does what the KCL would do to them."""

    name = "leases"

    def __init__(self) -> None:
        self.rows: dict[str, LeaseRow] = {}

    def read_row(self, shard_id: str) -> LeaseRow | None:
        return self.rows.get(shard_id)

    def read_claimed_rows(self) -> dict[str, LeaseRow]:
        return {shard_id: row for shard_id, row in self.rows.items() if row.claims}

    def add_claim(self, shard_id: str, row: LeaseRow, token: str, suspect: str = "", care: Care = Care.NORMAL) -> bool:
        return self._write(shard_id, row, with_claim(row, token, suspect, care))

    def replace_claims(self, shard_id: str, row: LeaseRow, claims: str) -> bool:
        return self._write(shard_id, row, claims)

    def _write(self, shard_id: str, row: LeaseRow, claims: str) -> bool:
        now = self.rows.get(shard_id)
        if now is None or now[:3] != row[:3]:
            return False
        self.rows[shard_id] = now._replace(claims=claims)
        return True

    def renew(self, *_: object) -> None:
        """Renew each lease, as its owner's KCL does every few seconds."""
        self.rows = {shard_id: row._replace(counter=row.counter + 1) for shard_id, row in self.rows.items()}

    def assign(self, shard_id: str, owner: str, checkpoint: Position) -> None:
        """Lease a shard to an owner with this checkpoint, as the KCL does."""
        before = self.rows.get(shard_id, LeaseRow("", checkpoint))
        self.rows[shard_id] = LeaseRow(owner, checkpoint, before.claims, before.counter + 1)

    def claim_elsewhere(self, shard_id: str, checkpoint: Position, token: str = "other", suspect: str = "") -> None:
        """Lease a shard to another instance, which claims it from this checkpoint."""
        self.assign(shard_id, ELSEWHERE, checkpoint)
        assert self.add_claim(shard_id, self.rows[shard_id], token, suspect)
