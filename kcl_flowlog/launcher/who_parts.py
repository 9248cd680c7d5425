"""The parts that keep who sent what and answer about it; with --no-who there are none, and nothing of it is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kcl_flowlog.commits import who_tables
from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.inventory.keeper import InventoryKeeper

if TYPE_CHECKING:
    from kcl_flowlog.launcher.who_answers import WhoAnswers
    from kcl_flowlog.launcher.who_keeper import WhoKeeper


class WhoParts(NamedTuple):
    """Both, or neither."""

    keeper: WhoKeeper | None = None
    answers: WhoAnswers | None = None


def who_parts(
    is_on: bool, open_ledger: Callable[[], Ledger], inventory: InventoryKeeper, damage: DamageNote
) -> WhoParts:
    """Return the parts. If it is off, removes what was kept while it was on."""
    if not is_on:
        with open_ledger() as ledger:
            with ledger.begin() as db:
                who_tables.clear(db)
            # At each start: the one before may have ended in between.
            ledger.empty_log()
        return WhoParts()
    # Not above: they load numpy, which takes some megabytes.
    from kcl_flowlog.launcher.who_answers import WhoAnswers
    from kcl_flowlog.launcher.who_keeper import WhoKeeper

    keeper = WhoKeeper(open_ledger, damage)
    return WhoParts(keeper, WhoAnswers(open_ledger, keeper, inventory, damage))
