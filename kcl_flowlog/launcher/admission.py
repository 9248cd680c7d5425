"""What has to be settled in DynamoDB before an instance may start a daemon.

In this order: the application record fits; no other start with this worker id is alive, and this is the current start;
whatever an earlier start has under way fails. Waits while DynamoDB fails. What the user can fix is a `ConfigError`.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from functools import partial
from typing import Any

from kcl_flowlog.config import Config
from kcl_flowlog.inventory.aws import BRIEFLY, Aws, StreamIdentity
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, one_line
from kcl_flowlog.inventory.stream import Stream
from kcl_flowlog.launcher.application import Application, Position
from kcl_flowlog.launcher.coordinator_table import CoordinatorTable
from kcl_flowlog.launcher.leader_lock import LeaderLock
from kcl_flowlog.launcher.leases import LeaseTable
from kcl_flowlog.launcher.start_record import StartRecord
from kcl_flowlog.launcher.state_directory import StateDirectory
from kcl_flowlog.launcher.table_names import TableNames
from kcl_flowlog.launcher.until_done import Wait, until_done

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Admission:
    """The records of one start, and the parts that use the application's tables."""

    application: Application
    start: StartRecord
    leases: LeaseTable
    leader_lock: LeaderLock
    tables: TableNames

    def admit(self, position: Position, wait: Wait) -> str | None:
        """Return the application's initial position once a daemon may start; None if a stop is requested before.

        `position` becomes that of a new application.
        """
        agreed = until_done(partial(self.application.agree, position, wait), self.tables.coordinator, wait)
        if agreed is None:
            return None
        if until_done(lambda: self.start.begin() or None, self.tables.coordinator, wait) is None:
            return None
        # Also after a stop in order: the record may have been deleted while an instance was silent.
        fenced = until_done(partial(self.leases.fence, self.start.worker_id), self.tables.leases, wait)
        if fenced is None:
            return None
        log.debug("Fenced off earlier starts", extra={"fields": {"leases": fenced}})
        return agreed

    def count_shards(self) -> int:
        """Return the number of shards that have a lease and are not read to their end; 0 if that is not known."""
        try:
            return self.leases.count_shards()
        except AWS_ERRORS as error:
            log.warning("Can't count the shards for the heap of Java", extra={"fields": {"error": one_line(error)}})
            return 0


def admission_of(
    config: Config, aws: Aws, state: StateDirectory, stream: Stream, identity: StreamIdentity | None
) -> Admission:
    """Return the records of a start on an open state directory, and the parts that use the application's tables."""
    # A stop must not wait long for the lease table.
    dynamodb: Any = aws.client("dynamodb", **BRIEFLY)
    tables = TableNames.of(config)
    coordinator = CoordinatorTable(dynamodb, tables.coordinator, config.kcl_property)
    return Admission(
        Application(config.application, coordinator, tables, stream.name, identity, state.earlier_first_start()),
        StartRecord(coordinator, state.worker_id(), state.lock_identity(), socket.gethostname()),
        LeaseTable(dynamodb, tables.leases),
        LeaderLock(dynamodb, tables.coordinator, state.worker_id()),
        tables,
    )
