"""The application record: what all instances of an application agree on, whoever wrote it first.

One item in the table of coordinator state. It names the stream, so that two streams can't share one set of leases, and
the position at which the application begins to read. The KCL would otherwise take the latter from each instance that
reads: a shard without a checkpoint has AT_TIMESTAMP in its lease row, not the moment.

Created once and never changed. A record that does not fit is a `ConfigError`; DynamoDB's failures are `AWS_ERRORS`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws import StreamIdentity
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_not_found
from kcl_flowlog.launcher.coordinator_table import CoordinatorTable
from kcl_flowlog.launcher.table_names import TableNames
from kcl_flowlog.launcher.until_done import Wait
from kcl_flowlog.timestamps import utc_second

TRIM_HORIZON = "trim-horizon"
"""The initial position of an application that begins at the oldest record; any other is in Unix seconds."""

KEY = "flowlog-application"
SCHEMA = 1
# AWS calls the time of a creation approximate, and it travels as a floating-point number.
_CREATION_TOLERANCE = 1


Position = datetime | Literal["now", "trim-horizon"]
"""An initial position as the user gives it."""


def position_text(position: Position) -> str:
    """Return the text of a position other than `now`."""
    return str(int(position.timestamp())) if isinstance(position, datetime) else position


class Application:
    """The record of one application, as an instance on this stream needs it.

    `identity` is None if there is no permission to describe the stream. `earlier_first_start` is what an earlier
    version has noted in the state directory, empty if nothing.
    """

    def __init__(
        self,
        name: str,
        table: CoordinatorTable,
        tables: TableNames,
        stream: str,
        identity: StreamIdentity | None,
        earlier_first_start: str,
    ) -> None:
        self._name = name
        self._table = table
        self._tables = tables
        self._stream = stream
        self._identity = identity
        self._earlier_first_start = earlier_first_start

    def agree(self, position: Position, wait: Wait) -> str | None:
        """Return the initial position of the application, which the first instance writes: its `position`.

        Return None if another instance has just written it, or if a stop is requested: try again. Raises
        `ConfigError` if the record is of another stream or of a newer version.
        """
        try:
            record, moment = self._table.read(KEY)
        except AWS_ERRORS as error:
            if not is_not_found(error):
                raise
            if not self._table.create(wait):
                return None
            record, moment = self._table.read(KEY)
        if record is None:
            # This machine's clock may be wrong, and AWS compares with its own.
            now = self._earlier_first_start or str(int(moment))
            text = now if position == "now" else position_text(position)
            return text if self._table.put(KEY, self._new_record(text)) else None
        self._check(record)
        return record["initialPosition"]

    def recorded(self) -> str | None:
        """Return the initial position, or None if the application has not begun. Writes nothing.

        Raises `ConfigError` as `agree` does.
        """
        try:
            record = self._table.read(KEY).item
        except AWS_ERRORS as error:
            if not is_not_found(error):
                raise
            return None
        if record is None:
            return None
        self._check(record)
        return record["initialPosition"]

    def _new_record(self, position: str) -> dict[str, str]:
        identity = self._identity
        known = {"streamArn": identity.arn} if identity is not None else {}
        if identity is not None and identity.created_at is not None:
            known["streamCreatedAt"] = str(identity.created_at)
        return {"schema": str(SCHEMA), "stream": self._stream, "initialPosition": position, **known}

    def _check(self, record: dict[str, str]) -> None:
        schema = int(record["schema"])
        if schema > SCHEMA:
            raise ConfigError(
                f"The application {self._name} has a record of schema {schema}, but this version of kcl-flowlog knows"
                f" {SCHEMA}; install the version that the other instances have."
            )
        recorded_arn = record.get("streamArn", "")
        is_other_arn = self._identity is not None and recorded_arn and recorded_arn != self._identity.arn
        if record["stream"] != self._stream or is_other_arn:
            here = self._identity.arn if self._identity is not None else self._stream
            raise ConfigError(
                f"The application {self._name} reads the stream {recorded_arn or record['stream']}, not {here}; choose"
                f" another --application, or stop all its instances and {self._deletion()}."
            )
        if self._identity is None or self._identity.created_at is None or "streamCreatedAt" not in record:
            return
        recorded = int(record["streamCreatedAt"])
        if abs(recorded - self._identity.created_at) > _CREATION_TOLERANCE:
            raise ConfigError(
                f"The application {self._name} reads the stream {self._identity.arn} of {utc_second(recorded)}, which"
                f" was deleted and created again at {utc_second(self._identity.created_at)}, so its checkpoints do not"
                f" fit; choose another --application, or stop all its instances and {self._deletion()}."
            )

    def _deletion(self) -> str:
        leases, coordinator, worker_metrics = self._tables
        return f"delete its tables {leases}, {coordinator} and {worker_metrics}"
