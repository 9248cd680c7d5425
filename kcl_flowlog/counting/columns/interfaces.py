"""The listed interfaces as numbers, so that all lines of a block are compared with theirs at once.

A text is compared together with the space before it, word by word from its end, with masks where it is shorter.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from kcl_flowlog.counting.columns.known_addresses import IPV6_WORDS, KnownIpv4, KnownIpv6
from kcl_flowlog.counting.columns.networks import Networks
from kcl_flowlog.counting.columns.text import WORD, Flags, Integers, Words
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.known_interface import KnownInterface
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.peers import PEERS, SAME_SUBNET, distance, zone_of

_MAX_INTERFACES = 8192
_MAX_ADDRESSES = 16
"""Most addresses of an interface of each family; of an interface with more, each line is read alone."""
_MAX_ZONES = 1024
# The words of a text together with a space before it.
INTERFACE_WORDS, SUBNET_WORDS, IPV4_WORDS = 3, 4, 2
NO_SUBNET = -1
# No field holds either: a text begins behind the filler, and nothing is equal to the other.
_FILLER, _NEVER = b"\0", b"\1"


class ListedInterface(NamedTuple):
    """An interface as its lines are compared with it, its texts as `spaced` returns them.

    Numbers of subnets and VPCs are those of the index.
    """

    interface_id: bytes
    ipv4: bytes
    ipv6: bytes
    subnet_text: bytes
    subnet_id: str
    interface_type: str
    vpc_id: str
    subnet: int
    vpc: int
    zone: int


class Interfaces:
    """The interfaces and zones of an inventory, by number."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.networks = Networks(index)
        self.known_ipv4 = KnownIpv4(self.networks)
        sections = index.tables.sections
        # Subnets that others with the same id replace have no code.
        of_subnets = np.frombuffer(sections["subnet_zones"], np.int64)[: index.tables.facts.subnet_count]
        examples: list[int] = np.frombuffer(sections["zone_examples"], np.int64).tolist()
        self._zones = [zone_of(index.subnets.at(row)) for row in examples]
        count = len(self._zones)
        # Behind the zones come the kinds of addresses outside the inventory.
        self.zone_of_code: Integers = np.concatenate([of_subnets, np.arange(count, count + len(PEERS))])
        self.zone_count = count + len(PEERS)
        self._usable = count <= _MAX_ZONES and self.networks.is_certain
        # The peer class for each zone of an interface, and no zone, and each zone of a peer.
        self.classes: Integers = np.zeros((count + 1) * self.zone_count, np.int64) if self._usable else np.zeros(1, int)
        self._filled: set[int] = set()
        # Not of `BoundedCache`, which would be in a cycle with this object and keep the memory of the index for longer.
        self._known: dict[str, ListedInterface | None] = {}
        self._named: dict[LogStream, ListedInterface | None] = {}

    @cached_property
    def known_ipv6(self) -> KnownIpv6:
        """The codes of IPv6 addresses; made once there is one, as it takes two megabytes."""
        return KnownIpv6()

    def find_named(self, log_stream: LogStream) -> ListedInterface | None:
        """Return the listed interface that a log stream is named after, None as of `find`."""
        if log_stream not in self._named:
            if len(self._named) >= _MAX_INTERFACES:
                self._named.clear()
            self._named[log_stream] = self.find(log_stream.interface_id)
        return self._named[log_stream]

    def find(self, interface_id: str) -> ListedInterface | None:
        """Return a listed interface; None if it is not listed, or its lines must be read alone."""
        known = self._known.get(interface_id)
        if known is not None or interface_id in self._known:
            return known
        interface = self.index.interfaces.read(interface_id)
        if interface is None:
            return None
        if len(self._known) >= _MAX_INTERFACES:
            self._known.clear()
        self._known[interface_id] = made = self._make(interface_id, interface)
        return made

    def _make(self, interface_id: str, interface: KnownInterface) -> ListedInterface | None:
        ipv4 = [socket.inet_ntop(socket.AF_INET, each) for each in interface.addresses if len(each) == 4]
        ipv6 = [socket.inet_ntop(socket.AF_INET6, each) for each in interface.addresses if len(each) == 16]
        is_plain = all(text.isascii() and text.isprintable() for text in (interface_id, interface.subnet_id))
        if not self._usable or not is_plain or max(len(ipv4), len(ipv6)) > _MAX_ADDRESSES:
            return None
        if len(interface_id) >= INTERFACE_WORDS * WORD or len(interface.subnet_id) >= SUBNET_WORDS * WORD:
            return None
        row = max(NO_SUBNET, self.index.subnets.row(interface.subnet_id))
        zone = len(self._zones) if row == NO_SUBNET else int(self.zone_of_code[row])
        self._fill(zone)
        return ListedInterface(
            spaced(interface_id, INTERFACE_WORDS),
            b"".join([spaced(address, IPV4_WORDS) for address in ipv4]),
            b"".join([spaced(address, IPV6_WORDS) for address in ipv6]),
            spaced(interface.subnet_id, SUBNET_WORDS),
            interface.subnet_id,
            interface.interface_type,
            interface.vpc_id,
            row,
            self.index.vpc_number(interface.vpc_id),
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


def spaced(text: str, words: int) -> bytes:
    """Return a text together with a space before it, at the end of that many words."""
    return (" " + text).encode().rjust(WORD * words, _FILLER)


class Column:
    """A text for each line, as words and masks; the same for all lines if there is only one."""

    def __init__(self, words: Words, masks: Words, of_line: Integers) -> None:
        """Each row has the words of a text, and their masks."""
        self._words, self._masks = _spread(words, of_line), _spread(masks, of_line)

    def equals(self, tails: Sequence[Words]) -> Flags:
        """Tell which fields, given by their last words as `Lines.tails` returns them, are equal to their text."""
        different = (tails[0] ^ self._words[0]) & self._masks[0]
        for tail, words, masks in zip(tails[1:], self._words[1:], self._masks[1:], strict=True):
            different |= (tail ^ words) & masks
        found: Flags = different == 0
        return found


def _spread(table: Words, of_line: Integers) -> list[Words]:
    """Return the columns of a table, the last first; of each, the number of each line, or the only number it has."""
    # Mostly all texts are equally long, and begin alike.
    are_alike = (table == table[0]).all(axis=0).tolist() if len(table) > 1 else [True] * table.shape[1]
    return [
        table[:1, place] if are_alike[place] else table[:, place].take(of_line)
        for place in range(table.shape[1] - 1, -1, -1)
    ]


def spread(numbers: Iterable[int], of_line: Integers) -> Integers:
    """Return the number of each line."""
    return np.array([*numbers], np.int64).take(of_line)


def no_text(words: int) -> bytes:
    """Return a text that no field is equal to."""
    return _NEVER * (WORD * words)


def column_of(texts: Sequence[bytes], of_line: Integers) -> Column:
    """Return the text of each line; all have the same number of words."""
    (column,) = columns_of(texts, of_line, len(texts[0]) // WORD)
    return column


def columns_of(texts: Sequence[bytes], of_line: Integers, words: int) -> list[Column]:
    """Return the first text of each line, the second, and so on, as far as any line has one.

    `texts` are any number of texts of that many words each, one behind the other.
    """
    most = max(map(len, texts))
    octets = np.frombuffer(b"".join([text.ljust(most, _NEVER) for text in texts]), np.uint8)
    masks = (octets != ord(_FILLER)).view(np.uint8) * np.uint8(255)
    shape = (len(texts), most // (WORD * words), words)
    all_words, all_masks = octets.view("<u8").reshape(shape), masks.view("<u8").reshape(shape)
    return [Column(all_words[:, place], all_masks[:, place], of_line) for place in range(shape[1])]


NO_LINE: Integers = np.zeros(1, np.int64)
DASH_COLUMN = column_of([spaced("-", 1)], NO_LINE)
"""The dash of a field without a value."""
