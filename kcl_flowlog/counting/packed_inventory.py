"""The packed inventory: named sections of bytes behind a header, as a processor maps them from a file.

The header holds a version, the size of all and a checksum. Numbers are in the order of this machine, because the file
never leaves it; another order is another version. Knows nothing of what a section holds, and does no I/O. What is not
such a file, in this version and undamaged, is `UnusableInventory`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import accumulate
from struct import Struct
from typing import Final

from isal import isal_zlib

from kcl_flowlog.errors import UnusableInventory

VERSION: Final = 1
"""Of the sections and what they hold; another number for each change."""
SECTIONS: Final = (
    "facts",
    "interface_ids",
    "interface_id_ends",
    "interface_columns",
    "addresses_ipv4",
    "addresses_ipv6",
    "delegated",
    "subnets",
    "subnet_ends",
    "subnet_zones",
    "zone_examples",
    "subnet_ids",
    "subnet_id_ends",
    "subnet_numbers",
    "vpc_ids",
    "vpc_id_ends",
    "vpc_numbers",
    "points_ipv4",
    "rows_ipv4",
    "layer_ends_ipv4",
    "points_ipv6",
    "rows_ipv6",
    "layer_ends_ipv6",
    "log_groups",
    "log_group_ends",
    "log_group_numbers",
    "flow_logs",
    "flow_log_ends",
)
"""The names of the sections, in their order."""

_MAGIC = b"flowinv\n"
_HEADER = Struct("=8sIIQ")
_LENGTHS = Struct(f"={len(SECTIONS)}Q")
# The checksum is of all behind it.
_CHECKED_FROM = 16
_BODY = _HEADER.size + _LENGTHS.size
_ALIGNMENT = 8


Sections = dict[str, bytes | bytearray]


def compose(sections: Mapping[str, bytes | bytearray]) -> bytes:
    """Return the file that holds these sections."""
    contents = [sections[name] for name in SECTIONS]
    lengths = _LENGTHS.pack(*map(len, contents))
    padded = b"".join(part for content in contents for part in (content, bytes(-len(content) % _ALIGNMENT)))
    size = _BODY + len(padded)
    checksum = 0
    for part in (size.to_bytes(8, sys.byteorder), lengths, padded):
        checksum = isal_zlib.crc32(part, checksum)
    return b"".join((_HEADER.pack(_MAGIC, VERSION, checksum, size), lengths, padded))


def check(size: int, chunks: Iterable[bytes]) -> None:
    """Raise `UnusableInventory` unless a file of this size is a whole packed inventory; `chunks` are its content."""
    remaining = iter(chunks)
    first = next(remaining, b"")
    expected = _read_header(memoryview(first), size)
    found = isal_zlib.crc32(memoryview(first)[_CHECKED_FROM:])
    for chunk in remaining:
        found = isal_zlib.crc32(chunk, found)
    if found != expected:
        raise UnusableInventory("is damaged: its checksum is wrong")


def sections_of(data: memoryview) -> dict[str, memoryview]:
    """Return the sections of a packed inventory that was checked, without a copy."""
    _read_header(data, len(data))
    lengths = _LENGTHS.unpack_from(data, _HEADER.size)
    starts = accumulate((length + -length % _ALIGNMENT for length in lengths), initial=_BODY)
    return {name: data[start : start + length] for name, start, length in zip(SECTIONS, starts, lengths, strict=False)}


def _read_header(data: memoryview, size: int) -> int:
    """Return the checksum in the header of a file of this size."""
    if len(data) < _BODY:
        raise UnusableInventory("is damaged: it is too short")
    magic, version, checksum, whole = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise UnusableInventory("is not a packed inventory")
    if version != VERSION:
        raise UnusableInventory("is of another version of kcl-flowlog")
    if whole != size:
        raise UnusableInventory(f"is damaged: it has {size} bytes instead of {whole}")
    return int(checksum)
