"""What can go wrong, by whose move it is.

Bad data never leaves its module as one of these unless its caller counts it;
the rest ends a process. A sentence in any of them is meant for a person and
says what to do.
"""

from __future__ import annotations


class FlowlogError(Exception):
    """The base of every error raised on purpose in this package."""


class ConfigError(FlowlogError):
    """The user's move: one sentence, printed alone; the command exits with 2."""


class Malformed(FlowlogError):
    """Bad data: the caller counts it under `reason` and goes on with the next.

    `reason` is a snake_case word of `kcl_flowlog.counting.outcomes`, fit for a label.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StaleProcessor(FlowlogError):
    """Another processor has taken over the shard in the ledger: exit, write nothing."""


class CannotStart(FlowlogError):
    """The daemon can't be started just now, mostly for want of disk space: try again later."""


class GaveUp(FlowlogError):
    """The launcher tried again and again, and stops trying; the command exits with 1."""


class Unsupported(FlowlogError):
    """A log event of another kind than ours, known for what it is: the caller counts it and goes on."""
