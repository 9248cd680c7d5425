"""State directories that earlier versions left, one of each schema of the ledger, with the lease rows beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from kcl_flowlog.commits.claims import LeaseRow, with_claim
from kcl_flowlog.counting.positions import Position
from tests.support.ledgers import restore
from tests.support.paths import ROOT

DATA = ROOT / "tests" / "commits" / "data"
SCHEMAS = sorted(int(path.name.rpartition("-")[2]) for path in DATA.glob("state-of-schema-*"))

Labels = tuple[str, ...]


class EarlierState:
    """The state of one schema."""

    def __init__(self, schema: int) -> None:
        self._directory = DATA / f"state-of-schema-{schema}"
        self.dump = self._directory / "ledger.sql"
        # What the code that wrote the state reported about it.
        self.expected: dict[str, Any] = json.loads((self._directory / "expected.json").read_text())

    def lay(self, state: Path) -> None:
        """Make the state directory."""
        beside = shutil.ignore_patterns("ledger.sql", "README.md", "expected.json")
        shutil.copytree(self._directory, state, ignore=beside)
        restore(state / "ledger.sqlite3", self.dump)

    @property
    def settings(self) -> dict[str, int]:
        """The settings that the earlier version ran with, apart from the defaults."""
        bounds = self.expected.get("bounds", ())
        return dict(zip(("max_subnets", "max_unlisted_subnets"), bounds, strict=False))

    @property
    def flows(self) -> dict[Labels, int]:
        """The flows of each series once the left commits are settled, by the five labels that all schemas have."""
        found: dict[Labels, int] = {}
        expected = self.expected
        for labels, flows, *_ in expected.get("traffic_after") or expected["totals_after"]["traffic"]:
            found[tuple(labels[:5])] = found.get(tuple(labels[:5]), 0) + flows
        return found

    def lease_rows(self) -> list[dict[str, Any]]:
        """Return the items of the lease table; none for a shard whose left commit nobody can decide."""
        rows = []
        for shard_id, token, upto in self.expected["left_commits"]:
            begin = LeaseRow("", Position(self.expected.get("begins_at", {}).get(shard_id, "TRIM_HORIZON")))
            row = begin._replace(claims=with_claim(begin, token))
            verdict = self.expected["verdicts"][shard_id]
            if verdict == "fold":
                rows.append(_item(shard_id, row._replace(checkpoint=Position(*upto))))
            elif verdict == "drop":
                rows.append(_item(shard_id, row._replace(claims=with_claim(row, "other"))))
        return rows


def _item(shard_id: str, row: LeaseRow) -> dict[str, Any]:
    return {
        "leaseKey": {"S": shard_id},
        "leaseCounter": {"N": "1"},
        "checkpoint": {"S": row.checkpoint.sequence},
        "checkpointSubSequenceNumber": {"N": str(row.checkpoint.sub_sequence)},
        "flowlogClaims": {"S": row.claims},
    }
