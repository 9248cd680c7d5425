"""The names of an application's tables in DynamoDB, as the KCL makes them from its name and properties. Pure."""

from __future__ import annotations

from typing import NamedTuple

from kcl_flowlog.config import Config


class TableNames(NamedTuple):
    """The lease table, the table of coordinator state, and the table of worker metrics."""

    leases: str
    coordinator: str
    worker_metrics: str

    @classmethod
    def of(cls, config: Config) -> TableNames:
        """Return the names for these settings."""
        application, properties = config.application, config.kcl_property
        return cls(
            properties.get("tableName", application),
            properties.get("coordinatorStateTableName", f"{application}-CoordinatorState"),
            properties.get("workerMetricsTableName", f"{application}-WorkerMetricStats"),
        )
