"""A network interface whose subnet is known, and the direction of its records."""

from __future__ import annotations

from collections.abc import Iterable

from kcl_flowlog.counting.prefixes import Prefixes

INGRESS = "ingress"
EGRESS = "egress"
UNKNOWN = "unknown"


class KnownInterface:
    """The subnet, VPC, packed addresses, delegated prefixes and type of an interface.

    The type is a key of `interface_types.INTERFACE_TYPES`.
    """

    __slots__ = ("_prefixes", "addresses", "interface_type", "subnet_id", "vpc_id")

    def __init__(
        self,
        subnet_id: str,
        vpc_id: str,
        addresses: Iterable[bytes],
        prefixes: Prefixes[bool] | None = None,
        interface_type: str = UNKNOWN,
    ) -> None:
        self.subnet_id = subnet_id
        self.vpc_id = vpc_id
        self.addresses = frozenset(addresses)
        self._prefixes = prefixes
        self.interface_type = interface_type

    def direction(self, source: bytes | None, destination: bytes | None) -> str:
        """Return the direction of a record by its packed addresses, None if missing.

        `UNKNOWN` if both addresses or neither are the interface's.
        """
        is_egress, is_ingress = source in self.addresses, destination in self.addresses
        if is_egress == is_ingress and self._prefixes is not None:
            is_egress, is_ingress = self._is_delegated(source), self._is_delegated(destination)
        if is_egress == is_ingress:
            return UNKNOWN
        return EGRESS if is_egress else INGRESS

    def _is_delegated(self, address: bytes | None) -> bool:
        return self._prefixes is not None and address is not None and self._prefixes.find(address) is not None
