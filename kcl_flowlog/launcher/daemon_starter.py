"""Starts a daemon after the end of the last: nothing of the last is left, and the new files are in place.

A start that fails because of the disk is a `CannotStart`; the supervisor tries again. Every start reads the whole
ledger, because processors may have died of damage that nothing else has met; damage is noted, which ends the instance.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kcl_flowlog.commits.damage import DamageNote, LedgerError
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.errors import CannotStart
from kcl_flowlog.launcher.daemon import Daemon
from kcl_flowlog.launcher.daemon_files import DaemonFiles
from kcl_flowlog.launcher.inbox import Inbox
from kcl_flowlog.launcher.leader_lock import LeaderLock

Spawn = Callable[[Callable[[], None]], Daemon]
"""Starts the daemon's process, given what to call before processors are killed."""


class DaemonStarter:
    """Starts the daemons of one instance, one after the other; `attempts` holds the records in hand."""

    def __init__(
        self,
        ledger: Ledger,
        damage: DamageNote,
        inbox: Inbox,
        leader_lock: LeaderLock,
        files: DaemonFiles,
        attempts: Path,
        spawn: Spawn,
    ) -> None:
        self._ledger = ledger
        self._damage = damage
        self._inbox = inbox
        self._leader_lock = leader_lock
        self._files = files
        self._attempts = attempts
        self._spawn = spawn

    def start(self) -> Daemon:
        """Start a daemon; call it only while none runs. Raises `CannotStart`."""
        try:
            self._inbox.forget()
            self._leader_lock.release()
            self._ledger.verify()
            self._files.write(self._ledger.begin_generation())
            return self._spawn(self._clear_records_in_hand)
        except (OSError, LedgerError) as error:
            self._damage.take(error)
            raise CannotStart(str(error)) from error

    def _clear_records_in_hand(self) -> None:
        """Forget the records in hand of processors about to be killed: the records are not the cause."""
        for shard in self._inbox.shards():
            (self._attempts / shard.shard_id).unlink(missing_ok=True)
