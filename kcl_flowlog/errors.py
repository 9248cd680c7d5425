"""The errors that the package raises on purpose, by who has to act.

`Malformed` and `Unsupported` are about data: the caller counts them and goes
on. All others end a process, and their message is a sentence for a person:
what happened, where, and what to do.
"""

from __future__ import annotations


class FlowlogError(Exception):
    """The base of all errors in this package."""


class ConfigError(FlowlogError):
    """The user has to act: the command prints one sentence and exits with 2."""


class GaveUp(FlowlogError):
    """The launcher has tried too often, and stops: the command exits with 1."""


class NothingRead(FlowlogError):
    """A file of `replay` holds nothing that could be read: the command exits with 1."""


class Unhealthy(FlowlogError):
    """`healthcheck` has found the instance unhealthy, or can't tell: the command exits with 1."""


class NobodyKnows(FlowlogError):
    """`who` has no answer, because no instance gives one or none knows the subnet: the command exits with 1."""


class CannotStart(FlowlogError):
    """The daemon can't be started at the moment, usually because the disk is full: try again later."""


class StaleProcessor(FlowlogError):
    """Another processor holds the shard in the ledger: exit without writing."""


class UnusableInventory(FlowlogError):
    """The file of the inventory that processors map is damaged or of another version: the processor ends."""


class Malformed(FlowlogError):
    """Bad data: the caller counts it under `reason` and goes on.

    `reason` is one of `kcl_flowlog.counting.outcomes.MALFORMED_REASONS`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unsupported(FlowlogError):
    """A valid log event that is not a VPC flow log: the caller counts it and goes on."""
