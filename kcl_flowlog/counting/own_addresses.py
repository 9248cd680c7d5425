"""What an interface's records tell of its own addresses.

A flow log names the recording interface's own address at one end of every
record. So the address common to all records of an interface is its own, one
for IPv4 and one for IPv6. Where the interface is not listed, that is how its
subnet is found. Holds a bounded memory, and forgets what it learned first.
"""

from __future__ import annotations

MOST_REMEMBERED = 65_536
"""Most interfaces remembered at a time: some tens of megabytes."""

Ends = frozenset[bytes]


class OwnAddresses:
    """Learns from records, interface by interface; addresses are packed."""

    def __init__(self) -> None:
        self._candidates: dict[tuple[str, int], Ends] = {}

    def learn(self, interface_id: str, source: bytes | None, destination: bytes | None) -> bool:
        """Take note of a record's two ends, None for a missing one; say whether that told anything new.

        A single end tells nothing: it is the interface's own in one direction, and the peer's in the other.
        """
        if source is None or destination is None or len(source) != len(destination):
            return False
        ends = frozenset((source, destination))
        key = (interface_id, len(source))
        known = self._candidates.get(key)
        if known is not None and len(known) == 1:
            return False
        if known is None and len(self._candidates) >= MOST_REMEMBERED:
            self._candidates.pop(next(iter(self._candidates)))
        # Two records that share nothing: either may be the odd one, and the next will tell.
        common = ends if known is None else (known & ends) or ends
        self._candidates[key] = common
        return common != known

    def decided(self, interface_id: str) -> Ends:
        """Return the addresses that are certain."""
        return frozenset().union(*(ends for ends in self._of(interface_id) if len(ends) == 1))

    def undecided(self, interface_id: str) -> list[Ends]:
        """Return the pairs of which one address each is the interface's."""
        return [ends for ends in self._of(interface_id) if len(ends) > 1]

    def _of(self, interface_id: str) -> list[Ends]:
        return [self._candidates[key] for size in (4, 16) if (key := (interface_id, size)) in self._candidates]
