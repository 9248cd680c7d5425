"""The own addresses of interfaces, learned from their records.

Relies on this: one end of each record is an address of the recording
interface. For IPv4 it is always the same address, the primary; for IPv6 it is
any of its addresses, so an address that all records share may be a peer's.
`flow-direction` tells which end it is. Knows no subnets, so for IPv6 it keeps
only what the records leave open. Holds a bounded memory and forgets the oldest
interface first.
"""

from __future__ import annotations

from collections.abc import Iterator

from kcl_flowlog.counting.known_interface import EGRESS, INGRESS, UNKNOWN

MAX_INTERFACES = 65_536
"""Most interfaces remembered at a time: some tens of megabytes."""

# Most IPv6 addresses for each interface that may be remembered; few interfaces have many.
_MEAN_ADDRESSES = 8
_MAX_PAIRS = 16
_MAX_OWN = 64

# No block of a subnet is longer than /64, so that a pair from the same /64 networks tells nothing new.
_NETWORK_BYTES = 8

Addresses = frozenset[bytes]
_NOTHING: Addresses = frozenset()


class Evidence:
    """What the records of an interface tell of the addresses that it has, packed.

    `ipv4` is one address if it is certain, two if either may be the own one,
    and none if the records contradict each other or there is no record.
    """

    __slots__ = ("_pairs", "ipv4", "is_contradictory", "own_ipv6")

    def __init__(self) -> None:
        self.ipv4 = _NOTHING
        self.is_contradictory = False
        self.own_ipv6 = _NOTHING
        # One pair for each pair of /64 networks.
        self._pairs: dict[Addresses, Addresses] = {}

    @property
    def own(self) -> Addresses:
        """The addresses that are certain."""
        return self.own_ipv6 | self.ipv4 if len(self.ipv4) == 1 else self.own_ipv6

    @property
    def is_open(self) -> bool:
        """Tell whether further records may show another address of the interface."""
        return not self.is_contradictory and (len(self.ipv4) > 1 or bool(self._pairs))

    @property
    def size(self) -> int:
        """The number of IPv6 addresses held."""
        return len(self.own_ipv6) + 2 * len(self._pairs)

    def claims(self) -> Iterator[Addresses]:
        """Yield sets of which at least one address each is the interface's; IPv4 first, then what is certain."""
        if self.ipv4:
            yield self.ipv4
        for address in self.own_ipv6:
            yield frozenset((address,))
        yield from self.pairs()

    def pairs(self) -> Iterator[Addresses]:
        """Yield the IPv6 claims that leave two addresses."""
        yield from self._pairs.values()

    def add_own(self, address: bytes) -> bool:
        """Note an IPv6 address that is certain; tell whether it is new."""
        if address in self.own_ipv6 or len(self.own_ipv6) >= _MAX_OWN:
            return False
        self.own_ipv6 |= {address}
        return True

    def learn_ipv4(self, ends: Addresses) -> bool:
        """Learn that one of `ends` is the own address; tell whether that is new."""
        if len(self.ipv4) == 1 or self.is_contradictory:
            return False
        before = self.ipv4
        self.ipv4 = before & ends if before else ends
        self.is_contradictory = not self.ipv4
        return self.ipv4 != before

    def learn_ipv6(self, ends: Addresses) -> bool:
        """Learn that one of `ends` is an own address; tell whether that is new."""
        if len(ends) == 1:
            return self.add_own(next(iter(ends)))
        networks = frozenset(end[:_NETWORK_BYTES] for end in ends)
        if networks in self._pairs or len(self._pairs) >= _MAX_PAIRS:
            return False
        self._pairs[networks] = ends
        return True


class OwnAddresses:
    """Learns from records, interface by interface; addresses are packed."""

    def __init__(self, max_interfaces: int = MAX_INTERFACES) -> None:
        self._max_interfaces = max_interfaces
        self._max_size = max_interfaces * _MEAN_ADDRESSES
        self._size = 0
        self._by_interface: dict[str, Evidence] = {}

    def learn(
        self, interface_id: str, source: bytes | None, destination: bytes | None, direction: str = UNKNOWN
    ) -> bool:
        """Learn from the two ends of a record, None for a missing end; tell whether they say anything new.

        A single end tells nothing without a direction: it may be the interface's or the peer's.
        """
        ends = _own_ends(source, destination, direction)
        if not ends:
            return False
        evidence = self._by_interface.get(interface_id)
        if evidence is None:
            evidence = self._by_interface[interface_id] = Evidence()
        if len(next(iter(ends))) == 4:
            is_new = evidence.learn_ipv4(ends)
        else:
            before = evidence.size
            is_new = evidence.learn_ipv6(ends)
            self._size += evidence.size - before
        self._make_room()
        return is_new

    def find(self, interface_id: str) -> Evidence | None:
        """Return what is known of an interface, None if nothing is."""
        return self._by_interface.get(interface_id)

    def add_own(self, interface_id: str, address: bytes) -> None:
        """Note an IPv6 address of a known interface that turned out to be its own."""
        evidence = self._by_interface.get(interface_id)
        if evidence is not None:
            self._size += evidence.add_own(address)

    def _make_room(self) -> None:
        while len(self._by_interface) > self._max_interfaces or self._size > self._max_size:
            oldest = next(iter(self._by_interface))
            self._size -= self._by_interface.pop(oldest).size


def _own_ends(source: bytes | None, destination: bytes | None, direction: str) -> Addresses:
    """Return the ends of a record of which at least one is the interface's; none if that is not known."""
    if direction != UNKNOWN:
        own = {EGRESS: source, INGRESS: destination}[direction]
        return _NOTHING if own is None else frozenset((own,))
    if source is None or destination is None or len(source) != len(destination):
        return _NOTHING
    return frozenset((source, destination))
