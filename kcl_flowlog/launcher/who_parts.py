"""The parts that keep who sent what and answer about it; with --no-who there are none."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.config import Config
from kcl_flowlog.inventory.keeper import InventoryKeeper

if TYPE_CHECKING:
    from kcl_flowlog.launcher.who_answers import AskPeers, WhoAnswers
    from kcl_flowlog.launcher.who_keeper import WhoKeeper
    from kcl_flowlog.peers.merging import Me


class WhoParts(NamedTuple):
    """Both, or neither."""

    keeper: WhoKeeper | None = None
    answers: WhoAnswers | None = None


def who_parts(
    config: Config, open_ledger: Callable[[], Ledger], inventory: InventoryKeeper, damage: DamageNote
) -> WhoParts:
    """Return the parts."""
    if not config.who:
        return WhoParts()
    # Not above: they load numpy, which takes some megabytes.
    from kcl_flowlog.launcher.who_answers import WhoAnswers
    from kcl_flowlog.launcher.who_keeper import WhoKeeper
    from kcl_flowlog.peers.merging import Me

    keeper = WhoKeeper(open_ledger, damage)
    me = Me(secrets.token_hex(16), config.application)
    return WhoParts(keeper, WhoAnswers(open_ledger, keeper, inventory, damage, me, _ask_peers(config, me)))


def _ask_peers(config: Config, me: Me) -> AskPeers | None:
    if not config.peers:
        return None
    from kcl_flowlog.peers.fleet import Fleet
    from kcl_flowlog.peers.merging import merge
    from kcl_flowlog.peers.shared import SharedAnswers

    fleet = Fleet.of(config)
    return SharedAnswers(lambda question: merge(fleet.ask(question), question.subnet_id, me)).ask
