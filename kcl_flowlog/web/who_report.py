"""What /who and /api/v1/who show, as data: the names and types of the fields are those of the JSON."""

from __future__ import annotations

import msgspec


class InterfaceNote(msgspec.Struct, omit_defaults=True):
    """What EC2 tells of the interface that has an address; what it does not tell is left out."""

    interface_id: str
    subnet_id: str
    description: str = ""
    type: str = ""
    instance_id: str = ""
    security_groups: tuple[str, ...] = ()
    name: str = ""


class HeavyAddress(msgspec.Struct, omit_defaults=True):
    """An address and its flows or bytes: `about` as many were seen, and with those that may have been missed `at_most`.

    `interface` is left out if the inventory lacks it.
    """

    address: str
    about: int
    at_most: int
    interface: InterfaceNote | None = None


class HeavyPort(msgspec.Struct):
    """A destination port and its flows."""

    protocol: str
    port: int
    about: int
    at_most: int


class HeavyPair(msgspec.Struct, omit_defaults=True):
    """A source with a destination, and their flows."""

    source: str
    destination: str
    about: int
    at_most: int
    source_interface: InterfaceNote | None = None
    destination_interface: InterfaceNote | None = None


class Rejected(msgspec.Struct):
    """The rejected flows of a subnet; if `distinct_is_partial`, of more sources or ports than the numbers say."""

    distinct_sources: int
    distinct_ports: int
    distinct_is_partial: bool
    sources: list[HeavyAddress]
    ports: list[HeavyPort]
    pairs: list[HeavyPair]


class Accepted(msgspec.Struct):
    """The accepted bytes of a subnet by the other end: of what came in, and of what went out."""

    ingress: list[HeavyAddress]
    egress: list[HeavyAddress]


class MissingPeer(msgspec.Struct):
    """Another instance that is not part of an answer; `peer` and `reason` together are a sentence."""

    peer: str
    reason: str

    def __str__(self) -> str:
        return f"{self.peer} {self.reason}."


class Peers(msgspec.Struct):
    """The other instances: how many are part of an answer, and those that are not. With any of these it is partial."""

    answered: int
    missing: list[MissingPeer]


class WhoReport(msgspec.Struct, omit_defaults=True):
    """What is known of a subnet, counted from `since` to `until`, in Unix seconds; `peers` only if any are set."""

    subnet_id: str
    name: str
    vpc_id: str
    since: int
    until: int
    rejected: Rejected | None = None
    accepted: Accepted | None = None
    peers: Peers | None = None


class SubnetLine(msgspec.Struct):
    """A subnet in the list of all."""

    subnet_id: str
    name: str
    vpc_id: str
    distinct_sources: int
    distinct_ports: int


class SubnetList(msgspec.Struct, omit_defaults=True):
    """The subnets with rejected flows, those with most distinct sources first.

    Of several instances, each number is that of the instance with the most: there are at least as many.
    """

    subnets: list[SubnetLine]
    peers: Peers | None = None
