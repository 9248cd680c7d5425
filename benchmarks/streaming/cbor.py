"""The few kinds of CBOR values that a Kinesis client and Kinesis exchange (RFC 8949).

The KCL talks CBOR to Kinesis in production; JSON would cost it more. Raises `ValueError` for any other kind of value.
"""

from __future__ import annotations

_TEXT, _BYTES, _ARRAY, _MAP = 3, 2, 4, 5
_BREAK = 0xFF
END_OF_LIST = b"\xff"
BEGIN_LIST = b"\x9f"


def _head(kind: int, number: int) -> bytes:
    if number < 24:
        return bytes([kind << 5 | number])
    size = next(size for size in (1, 2, 4, 8) if number < 1 << 8 * size)
    return bytes([kind << 5 | 23 + size.bit_length()]) + number.to_bytes(size, "big")


def encode(value: object) -> bytes:
    """Return the encoding of None, a boolean, a number that is not negative, a text, bytes, a list or a dictionary."""
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _head(0, value)
        case str():
            return _head(_TEXT, len(value.encode())) + value.encode()
        case bytes():
            return _head(_BYTES, len(value)) + value
        case list():
            return _head(_ARRAY, len(value)) + b"".join(map(encode, value))
        case dict():
            return _head(_MAP, len(value)) + b"".join(encode(key) + encode(each) for key, each in value.items())
    raise ValueError(f"no CBOR for {value!r}")


def timestamp(milliseconds: int) -> bytes:
    """Return the encoding of a moment, as AWS encodes it."""
    return b"\xc1" + encode(milliseconds)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def value(self) -> object:
        kind, number = self._read_head()
        if kind == 0:
            return number
        if kind in (_TEXT, _BYTES):
            return self._string(kind, number)
        if kind == _MAP:
            return {str(self.value()): self.value() for _ in self._items(number)}
        if kind == _ARRAY:
            return [self.value() for _ in self._items(number)]
        if kind == 7 and number in (20, 21, 22):
            return {20: False, 21: True, 22: None}[number]
        raise ValueError(f"CBOR of kind {kind} is not expected")

    def _read_head(self) -> tuple[int, int]:
        """Return the kind of the next value and its number: its length, or -1 if that is indefinite."""
        first = self._data[self._place]
        self._place += 1
        kind, number = first >> 5, first & 31
        if number == 31:
            return kind, -1
        if number >= 24:
            size = 1 << number - 24
            number = int.from_bytes(self._data[self._place : self._place + size], "big")
            self._place += size
        return kind, number

    def _string(self, kind: int, length: int) -> str | bytes:
        if length < 0:
            raise ValueError("a string in chunks is not expected")
        found = self._data[self._place : self._place + length]
        self._place += length
        return found.decode() if kind == _TEXT else found

    def _items(self, number: int):  # type: ignore[no-untyped-def]
        if number >= 0:
            yield from range(number)
            return
        while self._data[self._place] != _BREAK:
            yield self._place
        self._place += 1


def decode(data: bytes) -> object:
    """Return the value that `data` encodes."""
    return _Reader(data).value()
