"""A Kinesis payload, unpacked to text: gzip, zlib, base64 or none of them around it.

CloudWatch Logs sends a single gzip member. Payloads of other senders are
unpacked as well: several members, zlib, base64, or no compression. Takes no more
memory than a small multiple of the limit, whatever the payload. Data that
can't be unpacked is `Malformed` with a `payload_…` reason; the members before
it are not lost.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec
import pybase64
from isal import isal_zlib

from kcl_flowlog.errors import Malformed

_ZLIB_WINDOW = isal_zlib.MAX_WBITS
_GZIP_WINDOW = 16 + _ZLIB_WINDOW
GZIP_MAGIC = b"\x1f\x8b"
COMPRESSED = (GZIP_MAGIC, b"x\x01", b"x^", b"x\x9c", b"x\xda")
"""How gzip data begins, and zlib data of each level; no JSON or base64 begins so."""
LARGEST_RECORD = 10 * 1024 * 1024
"""Kinesis accepts no larger record, in bytes."""
MAX_KEPT = 4096
"""Most bytes of a payload that a dead letter keeps."""

_JSON_SPACE = b" \t\r\n"
_JSON = re.compile(rb"[ \t\r\n]*\{")

# Each further member copies the rest of the payload, so a crafted payload must not have many.
_MAX_MEMBERS = 64

GZIP: Final = "gzip"
PLAIN: Final = "plain"
BASE64: Final = "base64"


class UnreadablePart(NamedTuple):
    """A part of a payload that can't be read, with the reason that it would have as a whole payload.

    `data` is its start, by a byte more than a dead letter keeps.
    """

    reason: str
    data: bytes


class Unpacked(msgspec.Struct, frozen=True, gc=False):
    """The text of a payload. `form` is `GZIP` (also for zlib), `PLAIN` or `BASE64`.

    `unreadable` is what could not be inflated.
    """

    form: str
    text: bytes
    unreadable: list[UnreadablePart]


def unpack(payload: bytes, limit: int) -> Unpacked:
    """Return the text of a payload, at most `limit` bytes. Raises `Malformed` if there is no text."""
    if payload.startswith(COMPRESSED):
        return Unpacked(GZIP, *_inflate(payload, limit))
    if _looks_like_json(payload):
        return Unpacked(PLAIN, _check_size(payload, limit), [])
    try:
        decoded = pybase64.b64decode(payload.strip(_JSON_SPACE), validate=True)
    except ValueError:
        raise Malformed("payload_encoding") from None
    if decoded.startswith(COMPRESSED):
        return Unpacked(BASE64, *_inflate(decoded, limit))
    if _looks_like_json(decoded):
        return Unpacked(BASE64, _check_size(decoded, limit), [])
    raise Malformed("payload_encoding")


def start_of(text: bytes, start: int, end: int) -> bytes:
    """Return the start of a part of a text, enough for an `UnreadablePart`."""
    return text[start : min(end, start + MAX_KEPT + 1)]


def _looks_like_json(data: bytes) -> bool:
    return _JSON.match(data) is not None


def _check_size(text: bytes, limit: int) -> bytes:
    if len(text) > limit:
        raise Malformed("payload_too_large")
    return text


def _inflate(data: bytes, limit: int) -> tuple[bytes, list[UnreadablePart]]:
    """Return the text of the gzip or zlib members of `data`, and the rest from the first damaged member on.

    Raises `Malformed` if the first member is damaged, or if all together are too large.
    """
    texts: list[bytes] = []
    room = limit
    # The trailer tells the size, mostly truly: with a buffer of this size, a large text takes half the time.
    expected = int.from_bytes(data[-4:], "little")
    for _ in range(_MAX_MEMBERS):
        inflater = isal_zlib.decompressobj(_GZIP_WINDOW if data.startswith(GZIP_MAGIC) else _ZLIB_WINDOW)
        try:
            text = inflater.decompress(data, min(room, expected) + 1)
            if not inflater.eof and len(text) > expected:
                text += inflater.decompress(inflater.unconsumed_tail, room + 1 - len(text))
        except isal_zlib.IsalError:  # type: ignore[misc] # its stub calls the class a value
            text = None
        if text is not None and len(text) > room:
            raise Malformed("payload_too_large")
        if text is None or not inflater.eof:
            if not texts:
                raise Malformed("payload_damaged")
            reason = "payload_damaged" if data.startswith(COMPRESSED) else "payload_encoding"
            return b"".join(texts), [UnreadablePart(reason, start_of(data, 0, len(data)))]
        texts.append(text)
        room -= len(text)
        data = inflater.unused_data
        if not data:
            return texts[0] if len(texts) == 1 else b"".join(texts), []
    raise Malformed("payload_too_large")
