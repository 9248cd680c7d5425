"""Which subnets have separate series in the totals; the others are summed as `other`.

Decided once, when a subnet is first folded, and kept until its series are dropped, so no total ever goes back. A subnet
that is summed as `other` may get its own series later: they begin at 0, and its earlier counts stay in `other`. All
functions run inside a transaction of the caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterable

from kcl_flowlog.commits.checked_table import CheckedTable
from kcl_flowlog.counting.delta import Snapshot
from kcl_flowlog.counting.subnet_bounds import OTHER_SUBNET, SubnetBounds, admit

SUBNETS = CheckedTable("own_series", ("subnet_id",), ("is_listed",))
FOLDED = CheckedTable("folded_subnets", ("subnet_id",), ("counted_at",))

MOST_NOTED = 1000
"""Most subnets without separate series that are noted by name, only to tell how many there are."""

# Most commits have so few subnets, all known, that reading them is quicker than reading thousands.
_FEW = 100


def names(db: sqlite3.Connection, delta: Snapshot, bounds: SubnetBounds, now: int) -> dict[str, str]:
    """Return the subnet_id that each subnet of a delta is counted for; note it at `now`, in seconds of running."""
    found = dict.fromkeys(
        [series.subnet_id for series, _ in delta.traffic] + [series.subnet_id for series, _ in delta.rejected_ports]
    )
    if len(found) <= _FEW and all(_is_settled(db, subnet_id, delta.listed_subnets) for subnet_id in found):
        return {subnet_id: subnet_id for subnet_id in found}
    own = {subnet_id: bool(is_listed) for subnet_id, is_listed in SUBNETS.all_rows(db)}
    admitted = admit(own, found, frozenset(delta.listed_subnets), bounds)
    own.update(admitted)
    SUBNETS.put(db, *((subnet_id, int(is_listed)) for subnet_id, is_listed in admitted.items()))
    _delete(FOLDED, db, admitted)
    _note_folded(db, [subnet_id for subnet_id in found if subnet_id not in own and subnet_id != OTHER_SUBNET], now)
    return {subnet_id: subnet_id if subnet_id in own else OTHER_SUBNET for subnet_id in found}


def _is_settled(db: sqlite3.Connection, subnet_id: str, listed: Container[str]) -> bool:
    """Return whether a subnet has its own series, and it is known by now if the inventory lists it."""
    row = SUBNETS.get(db, subnet_id)
    return row is not None and (bool(row[1]) or subnet_id not in listed)


def number_folded(db: sqlite3.Connection) -> int:
    """Return how many subnets were counted for `other` lately, at most `MOST_NOTED`."""
    return len(FOLDED.all_rows(db))


def forget(db: sqlite3.Connection, dropped: Iterable[str], before: float) -> None:
    """Forget the subnets whose series were dropped, and those that were last counted for `other` before a time."""
    _delete(SUBNETS, db, dropped)
    FOLDED.delete(db, "WHERE counted_at < ?", before)


def _delete(table: CheckedTable, db: sqlite3.Connection, subnet_ids: Iterable[str]) -> None:
    for subnet_id in subnet_ids:
        table.delete(db, "WHERE subnet_id = ?", subnet_id)


def _note_folded(db: sqlite3.Connection, folded: list[str], now: int) -> None:
    if not folded:
        return
    noted = {subnet_id for subnet_id, _ in FOLDED.all_rows(db)}
    again = [subnet_id for subnet_id in folded if subnet_id in noted]
    new = [subnet_id for subnet_id in folded if subnet_id not in noted][: MOST_NOTED - len(noted)]
    FOLDED.put(db, *((subnet_id, now) for subnet_id in again + new))
