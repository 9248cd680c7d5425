"""The listed interfaces as numbers, so that all lines of a block are compared with theirs at once.

A text is compared together with the space before it, word by word from its end, with masks where it is shorter.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.columns.known_addresses import IPV6_WORDS, KnownIpv4, KnownIpv6
from kcl_flowlog.counting.columns.networks import Networks
from kcl_flowlog.counting.columns.text import WORD, Flags, Integers, Words, mask_of, word_of
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.peers import PEERS, SAME_SUBNET, Zone, distance, zone_of

_MAX_INTERFACES = 8192
_MAX_ADDRESSES = 16
"""Most addresses of an interface of each family; of an interface with more, each line is read alone."""
_MAX_ZONES = 1024
# The words of a text together with a space before it.
INTERFACE_WORDS, SUBNET_WORDS, IPV4_WORDS = 3, 4, 2


class Text(NamedTuple):
    """The words of a text and their masks, from its end."""

    words: tuple[int, ...]
    masks: tuple[int, ...]


class ListedInterface(NamedTuple):
    """An interface as its lines are compared with it. Numbers of subnets and zones are those of `Interfaces`."""

    interface_id: Text
    ipv4: tuple[Text, ...]
    ipv6: tuple[Text, ...]
    subnet_text: Text
    subnet_id: str
    interface_type: str
    vpc_id: str
    subnet: int
    vpc: int
    zone: int


class Interfaces:
    """The interfaces, subnets and zones of an inventory, by number."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._numbers = {subnet_id: number for number, subnet_id in enumerate(index.subnets)}
        self.networks = Networks(index, self._numbers)
        self.known_ipv4 = KnownIpv4(self.networks)
        self.known_ipv6 = KnownIpv6()
        zones: dict[Zone, int] = {}
        of_subnets = [zones.setdefault(zone_of(subnet), len(zones)) for subnet in index.subnets.values()]
        self._zones = [*zones]
        count = len(zones)
        # Behind the zones come the kinds of addresses outside the inventory.
        self.zone_of_code: Integers = np.array([*of_subnets, *range(count, count + len(PEERS))], np.int64)
        self.zone_count = count + len(PEERS)
        self._usable = count <= _MAX_ZONES and self.networks.is_certain
        # The peer class for each zone of an interface, and no zone, and each zone of a peer.
        self.classes: Integers = np.zeros((count + 1) * self.zone_count, np.int64) if self._usable else np.zeros(1, int)
        self._filled: set[int] = set()
        self._known: BoundedCache[str, ListedInterface | None] = BoundedCache(self._make, _MAX_INTERFACES)
        self._named: BoundedCache[LogStream, ListedInterface | None] = BoundedCache(
            lambda log_stream: self.find(log_stream.interface_id), _MAX_INTERFACES
        )

    def find_named(self, log_stream: LogStream) -> ListedInterface | None:
        """Return the listed interface that a log stream is named after, None as of `find`."""
        return self._named[log_stream]

    def find(self, interface_id: str) -> ListedInterface | None:
        """Return a listed interface; None if it is not listed, or its lines must be read alone."""
        return self._known[interface_id] if interface_id in self._index.interfaces else None

    def _make(self, interface_id: str) -> ListedInterface | None:
        interface = self._index.interfaces[interface_id]
        ipv4 = [socket.inet_ntop(socket.AF_INET, each) for each in interface.addresses if len(each) == 4]
        ipv6 = [socket.inet_ntop(socket.AF_INET6, each) for each in interface.addresses if len(each) == 16]
        is_plain = interface_id.isascii() and interface.subnet_id.isascii()
        if not self._usable or not is_plain or max(len(ipv4), len(ipv6)) > _MAX_ADDRESSES:
            return None
        if len(interface_id) >= INTERFACE_WORDS * WORD or len(interface.subnet_id) >= SUBNET_WORDS * WORD:
            return None
        subnet = self._index.subnets.get(interface.subnet_id)
        zone = len(self._zones) if subnet is None else int(self.zone_of_code[self._numbers[subnet.subnet_id]])
        self._fill(zone)
        return ListedInterface(
            spaced(interface_id, INTERFACE_WORDS),
            tuple(spaced(address, IPV4_WORDS) for address in ipv4),
            tuple(spaced(address, IPV6_WORDS) for address in ipv6),
            spaced(interface.subnet_id, SUBNET_WORDS),
            interface.subnet_id,
            interface.interface_type,
            interface.vpc_id,
            -1 if subnet is None else self._numbers[subnet.subnet_id],
            self.networks.vpc_number(interface.vpc_id),
            zone,
        )

    def _fill(self, zone: int) -> None:
        """Compute the peer classes as seen from a zone."""
        if zone in self._filled:
            return
        self._filled.add(zone)
        names = list(PEERS)
        own = self._zones[zone] if zone < len(self._zones) else None
        seen = [distance(own, peer) for peer in self._zones] + names
        self.classes[zone * self.zone_count : (zone + 1) * self.zone_count] = [names.index(name) for name in seen]


SAME_SUBNET_CLASS = list(PEERS).index(SAME_SUBNET)


def spaced(text: str, words: int) -> Text:
    """Return a text together with a space before it, as that many words."""
    whole = " " + text
    parts = [whole[: max(0, len(whole) - WORD * place)] for place in range(words)]
    return Text(tuple(map(word_of, parts)), tuple(mask_of(len(part)) for part in parts))


class Column:
    """A text for each line, as words and masks; the same for all lines if there is only one."""

    def __init__(self, texts: Sequence[Text], of_line: Integers) -> None:
        self._words = [_spread(words, of_line) for words in zip(*(text.words for text in texts), strict=True)]
        self._masks = [_spread(masks, of_line) for masks in zip(*(text.masks for text in texts), strict=True)]

    def equals(self, tails: Sequence[Words]) -> Flags:
        """Tell which fields, given by their last words as `Lines.tails` returns them, are equal to their text."""
        different = (tails[0] ^ self._words[0]) & self._masks[0]
        for tail, words, masks in zip(tails[1:], self._words[1:], self._masks[1:], strict=True):
            different |= (tail ^ words) & masks
        found: Flags = different == 0
        return found


def _spread(numbers: Sequence[int], of_line: Integers) -> Words:
    # Mostly all texts are equally long, and begin alike.
    if numbers.count(numbers[0]) == len(numbers):
        return np.array(numbers[:1], np.uint64)
    return np.array(numbers, np.uint64).take(of_line)


def spread(numbers: Iterable[int], of_line: Integers) -> Integers:
    """Return the number of each line."""
    return np.array([*numbers], np.int64).take(of_line)


def no_text(words: int) -> Text:
    """Return a text that no field is equal to."""
    return Text((0,) * words, (mask_of(WORD),) * words)


def columns_of(texts: Sequence[Sequence[Text]], of_line: Integers, words: int) -> list[Column]:
    """Return the first text of each line, the second, and so on, as far as any line has one."""
    return [Column(each, of_line) for each in zip_longest(*texts, fillvalue=no_text(words))]


NO_LINE: Integers = np.zeros(1, np.int64)
DASH_COLUMN = Column([spaced("-", 1)], NO_LINE)
"""The dash of a field without a value."""
