"""Labels and numbers as the page writes them, in both of its formats; equal to prometheus_client to the last byte.

prometheus_client makes a line in ten microseconds, which is too long for a hundred thousand lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prometheus_client.utils import floatToGoString

# Integers of so many digits have an exponent; up to 15 digits, a float has the digits of the integer.
_FIRST_EXPONENT = 7
_EXPONENTS = tuple(f"e+{digits - 1:02d}" for digits in range(16))


def number_texts(numbers: Iterable[int], end: str) -> list[str]:
    """Return numbers, none below 0, as the values of samples, each followed by `end`."""
    short, ends = f".0{end}", [f"{exponent}{end}" for exponent in _EXPONENTS]
    texts = []
    for number in numbers:
        digits = str(number)
        size = len(digits)
        if size < _FIRST_EXPONENT:
            texts.append(digits + short)
        elif size < len(ends):
            digits = digits.rstrip("0")
            texts.append(f"{digits[0]}.{digits[1:]}{ends[size]}" if digits[1:] else digits + ends[size])
        else:
            texts.append(floatToGoString(number) + end)  # type: ignore[no-untyped-call]
    return texts


def labels_writer(names: Sequence[str]) -> Callable[[Sequence[str]], str]:
    """Return a function that makes the text of the labels of a sample from their values, which are in this order."""
    order = sorted(range(len(names)), key=names.__getitem__)
    template = ",".join(f'{names[place]}="%s"' for place in order)

    def write(values: Sequence[str]) -> str:
        return "{" + template % tuple([_escape(values[place]) for place in order]) + "}"

    return write


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
