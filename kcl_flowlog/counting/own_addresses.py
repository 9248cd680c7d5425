"""The own addresses of interfaces, learned from their records.

A flow log names the recording interface's own address at one end of every
record. So the address common to all records of an interface is its own, one
for IPv4 and one for IPv6. Holds a bounded memory and forgets the oldest
interface first.
"""

from __future__ import annotations

MAX_INTERFACES = 65_536
"""Most interfaces remembered at a time: some tens of megabytes."""

Addresses = frozenset[bytes]


class OwnAddresses:
    """Learns from records, interface by interface; addresses are packed."""

    def __init__(self, max_interfaces: int = MAX_INTERFACES) -> None:
        self._max_interfaces = max_interfaces
        # One address if it is certain, else the two ends of a record.
        self._candidates: dict[tuple[str, int], Addresses] = {}

    def learn(self, interface_id: str, source: bytes | None, destination: bytes | None) -> bool:
        """Learn from the two ends of a record, None for a missing end; tell whether they say anything new.

        A single end tells nothing: it is the interface's in one direction, and the peer's in the other.
        """
        if source is None or destination is None or len(source) != len(destination):
            return False
        ends = frozenset((source, destination))
        key = (interface_id, len(source))
        known = self._candidates.get(key)
        if known is not None and len(known) == 1:
            return False
        if known is None and len(self._candidates) >= self._max_interfaces:
            self._candidates.pop(next(iter(self._candidates)))
        # If two records have nothing in common, either may be the exception; the next record tells.
        common = ends if known is None else (known & ends) or ends
        self._candidates[key] = common
        return common != known

    def decided(self, interface_id: str) -> Addresses:
        """Return the addresses that are certain."""
        return frozenset().union(*(ends for ends in self._of(interface_id) if len(ends) == 1))

    def undecided(self, interface_id: str) -> list[Addresses]:
        """Return the pairs of which one address each is the interface's."""
        return [ends for ends in self._of(interface_id) if len(ends) > 1]

    def _of(self, interface_id: str) -> list[Addresses]:
        return [self._candidates[key] for size in (4, 16) if (key := (interface_id, size)) in self._candidates]
