"""The codes of addresses that were seen lately, by their text: most peers are seen again and again.

Tables with one place for each hash; a newer address takes the place of an older. The whole text is compared, so the
answer is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from kcl_flowlog.counting.columns.addresses import WORDS, ipv4
from kcl_flowlog.counting.columns.networks import Networks
from kcl_flowlog.counting.columns.text import WORD, Integers, Lines, Words, mask_of

NOT_IPV4: Final = -3
"""The code of a text that is not an IPv4 address."""

_BITS: Final = 15
# Odd numbers without a pattern.
_FACTORS: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
# The shortest address and the space before it fill the last word, so masks are for the word before.
_MASKS: Words = np.array([mask_of(max(0, width + 1 - WORD)) for width in range(2 * WORD)], np.uint64)


class KnownIpv4:
    """Finds the codes of IPv4 addresses."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        # Row by row the last word of a text, the word before, and the code: a row is read from memory at once.
        self._known: Words = np.zeros((1 << _BITS, 4), np.uint64)

    def find(self, widths: Integers, low: Words, high: Words) -> Integers:
        """Return the codes of fields with these widths, whose last words are `low` and `high`.

        The code is `SHARED` if several VPCs use the address, and `NOT_IPV4` if the text is no IPv4 address.
        """
        high = high & _MASKS.take(widths, mode="clip")
        places = ((low * _FACTORS[0] ^ high) * _FACTORS[1]) >> (64 - _BITS)
        known = self._known.take(places, axis=0)
        codes = known[:, 2].astype(np.int64)
        new = np.flatnonzero((known[:, 0] != low) | (known[:, 1] != high))
        if len(new):
            addresses, are_ipv4 = ipv4(low[new], high[new])
            found = np.where(are_ipv4, self._networks.find_ipv4(addresses), NOT_IPV4)
            codes[new] = found
            self._known[places[new], :3] = np.stack((low[new], high[new], found.astype(np.uint64)), 1)
        return codes

    def settle(self, lines: Lines, ends: Integers, widths: Integers, vpcs: Integers) -> Integers:
        """Return the codes of addresses that several VPCs use, as seen from VPCs, given by number."""
        low, high = lines.tails(ends, WORDS)
        addresses, _ = ipv4(low, high & _MASKS.take(widths, mode="clip"))
        return self._networks.settle(addresses, vpcs)


IPV6_WORDS: Final = 5
"""The words of the longest canonical text, with the space before it."""
_LONGEST = IPV6_WORDS * WORD
_IPV6_MASKS: list[Words] = [
    np.array([mask_of(width + 1 - WORD * place) for width in range(_LONGEST)], np.uint64) for place in range(IPV6_WORDS)
]


class KnownIpv6:
    """Finds the codes of IPv6 addresses as seen from a VPC."""

    def __init__(self) -> None:
        # The last column is the number of the VPC.
        self._keys: list[Words] = [np.zeros(1 << _BITS, np.uint64) for _ in range(IPV6_WORDS + 1)]
        self._codes: Integers = np.zeros(1 << _BITS, np.int64)

    def find(
        self, tails: Sequence[Words], widths: Integers, vpcs: Integers, compute: Callable[[Integers], Integers]
    ) -> Integers:
        """Return the codes of fields with these widths and last words; `compute` tells those of some rows."""
        masked = (words & masks.take(widths, mode="clip") for words, masks in zip(tails, _IPV6_MASKS, strict=True))
        keys = [*masked, vpcs.view(np.uint64)]
        hashes = keys[0] * _FACTORS[0]
        for number, words in enumerate(keys[1:]):
            hashes = (hashes ^ words) * _FACTORS[number % 2]
        places = hashes >> (64 - _BITS)
        codes = self._codes.take(places)
        differences = keys[0] ^ self._keys[0].take(places)
        for words, known in zip(keys[1:], self._keys[1:], strict=True):
            differences |= words ^ known.take(places)
        new = np.flatnonzero(differences != 0)
        if len(new):
            found = compute(new)
            codes[new] = found
            places = places[new]
            self._codes[places] = found
            for words, known in zip(keys, self._keys, strict=True):
                known[places] = words[new]
        return codes
