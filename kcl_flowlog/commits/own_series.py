"""Which subnets have separate series in the totals; the others are summed as `other`.

Decided once, when a subnet is first folded, and kept until its series are dropped, so no total ever goes back. A subnet
that is summed as `other` may get its own series later: they begin at 0, and its earlier counts stay in `other`. All
functions run inside a transaction of the caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from kcl_flowlog.counting.delta import Snapshot
from kcl_flowlog.counting.subnet_bounds import OTHER_SUBNET, SubnetBounds, admit

MOST_NOTED = 1000
"""Most subnets without separate series that are noted by name, only to tell how many there are."""


def names(db: sqlite3.Connection, delta: Snapshot, bounds: SubnetBounds, now: float) -> dict[str, str]:
    """Return the subnet_id that each subnet of a delta is counted for, and note what was decided at `now`."""
    found = dict.fromkeys(
        [series.subnet_id for series, _ in delta.traffic] + [series.subnet_id for series, _ in delta.rejected_ports]
    )
    own = {subnet_id: bool(is_listed) for subnet_id, is_listed in db.execute("SELECT * FROM own_series")}
    admitted = admit(own, found, frozenset(delta.listed_subnets), bounds)
    own.update(admitted)
    db.executemany("INSERT OR REPLACE INTO own_series VALUES (?, ?)", admitted.items())
    db.executemany("DELETE FROM folded_subnets WHERE subnet_id = ?", [(subnet_id,) for subnet_id in admitted])
    _note_folded(db, [subnet_id for subnet_id in found if subnet_id not in own and subnet_id != OTHER_SUBNET], now)
    return {subnet_id: subnet_id if subnet_id in own else OTHER_SUBNET for subnet_id in found}


def number_folded(db: sqlite3.Connection) -> int:
    """Return how many subnets were counted for `other` lately, at most `MOST_NOTED`."""
    return int(db.execute("SELECT count(*) FROM folded_subnets").fetchone()[0])


def forget(db: sqlite3.Connection, dropped: Iterable[str], before: float) -> None:
    """Forget the subnets whose series were dropped, and those that were last counted for `other` before a time."""
    db.executemany("DELETE FROM own_series WHERE subnet_id = ?", [(subnet_id,) for subnet_id in dropped])
    db.execute("DELETE FROM folded_subnets WHERE counted_at < ?", (before,))


def _note_folded(db: sqlite3.Connection, folded: list[str], now: float) -> None:
    if not folded:
        return
    noted = {subnet_id for (subnet_id,) in db.execute("SELECT subnet_id FROM folded_subnets")}
    again = [subnet_id for subnet_id in folded if subnet_id in noted]
    new = [subnet_id for subnet_id in folded if subnet_id not in noted][: MOST_NOTED - len(noted)]
    db.executemany(
        "INSERT OR REPLACE INTO folded_subnets VALUES (?, ?)", [(subnet_id, now) for subnet_id in again + new]
    )
