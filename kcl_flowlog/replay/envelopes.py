"""Envelopes of CloudWatch Logs as JSON: a payload's content, or any number of envelopes one after the other."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from kcl_flowlog.counting.brackets import ends_of_objects
from kcl_flowlog.counting.envelope import MAX_ENVELOPES, UNDECODABLE
from kcl_flowlog.counting.unpacking import LARGEST_RECORD
from kcl_flowlog.errors import Malformed
from kcl_flowlog.replay.content import Content, put_back
from kcl_flowlog.replay.items import Item, Payload
from kcl_flowlog.replay.json_objects import split_objects


def holds_envelopes(head: bytes) -> bool:
    """Say whether the content begins with an envelope."""
    return head.lstrip().startswith(b"{") and (b'"messageType"' in head or b'"logEvents"' in head)


def read_envelopes(content: Content) -> Iterator[Item]:
    """Yield the file as a payload if it can be a payload; otherwise each envelope as a payload."""
    if content.raw is not None and not _is_envelope_per_line(content.head):
        text = content.text.read(LARGEST_RECORD)
        if len(text) < LARGEST_RECORD and not content.is_damaged and _is_one_payload(text):
            yield Payload(content.raw, 1)
            return
        content = content._replace(text=put_back(text, content.text))
    # Compressed as CloudWatch Logs would have sent it; a stored gzip member costs next to nothing.
    wrap: Callable[[bytes], bytes] = _stored if content.is_gzip else bytes
    for line, envelope in split_objects(content.text):
        # What the file holds of an envelope that is cut off belongs to the damage.
        if not content.is_damaged or envelope.endswith(b"}"):
            yield Payload(wrap(envelope), line)


def _is_envelope_per_line(head: bytes) -> bool:
    first, newline, rest = head.partition(b"\n")
    return bool(newline) and _is_json(first) and rest.lstrip().startswith(b"{")


def _is_one_payload(text: bytes) -> bool:
    try:
        return len(list(islice(ends_of_objects(text), MAX_ENVELOPES + 1))) <= MAX_ENVELOPES
    except Malformed:
        return True


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except UNDECODABLE:
        return False
    return True


def _stored(text: bytes) -> bytes:
    return gzip.compress(text, compresslevel=0, mtime=0)
