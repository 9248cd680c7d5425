"""What the page at / shows, as data. The launcher fills it; nothing here holds a secret.

Lists are complete: the page chooses what it shows of them. Times are Unix seconds, 0 if it has not happened yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

HOUR = 60
"""The minutes of a whole history."""


class ShardLine(NamedTuple):
    """A shard that this instance holds; `lag` is in seconds, None if unknown."""

    shard_id: str
    lag: float | None
    last_record_at: float
    last_checkpoint_at: float


class SourceLine(NamedTuple):
    """An account and region of the inventory; `not_permitted` names what EC2 does not permit to list."""

    account_id: str
    region: str
    taken_at: float
    not_permitted: tuple[str, ...]


class Minutes(NamedTuple):
    """What was counted in each minute, the oldest first: accepted bytes by direction, and rejected flows."""

    ingress: Sequence[float] = ()
    egress: Sequence[float] = ()
    unknown: Sequence[float] = ()
    rejected: Sequence[float] = ()

    @property
    def all_bytes(self) -> float:
        """The accepted bytes of all minutes, in all directions."""
        return sum(self.ingress) + sum(self.egress) + sum(self.unknown)

    @property
    def bytes(self) -> list[float]:
        """The accepted bytes of each minute, in all directions."""
        return [sum(directions) for directions in zip(self.ingress, self.egress, self.unknown, strict=True)]


class SubnetTraffic(NamedTuple):
    """The traffic of a subnet; the distinct numbers are None if they are not counted."""

    subnet_id: str
    name: str
    vpc: str
    minutes: Minutes
    distinct_sources: int | None = None
    distinct_ports: int | None = None


class Traffic(NamedTuple):
    """The traffic since the start of the instance, at most of the last hour: of all subnets, and of each."""

    minutes: int = 0
    all: Minutes = Minutes()
    subnets: Sequence[SubnetTraffic] = ()


class OutcomeLine(NamedTuple):
    """How many log events had an outcome, and what to do about that, empty if all is well."""

    outcome: str
    number: int
    advice: str


class Books(NamedTuple):
    """The log events by outcome, read at `at`, and what does not add up.

    `dropped` counted flows are in no series any more, as those of subnets that were deleted.
    """

    at: float
    outcomes: Sequence[OutcomeLine]
    imbalances: Sequence[str] = ()
    dropped: int = 0


class SettingLine(NamedTuple):
    """A setting as its user would write it."""

    flag: str
    value: str
    is_default: bool


class Overview(NamedTuple):
    """Everything; `identity` names what this instance is, `starting` says in a sentence why nothing is read yet.

    `books` is None until the ledger was read.
    """

    now: float
    identity: Sequence[tuple[str, str]]
    starting: str = ""
    shards: Sequence[ShardLine] = ()
    open_shards: int | None = None
    subnets: int = 0
    interfaces: int = 0
    sources: Sequence[SourceLine] = ()
    books: Books | None = None
    traffic: Traffic = Traffic()
    settings: Sequence[SettingLine] = ()
