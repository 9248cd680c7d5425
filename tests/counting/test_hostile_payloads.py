"""Payloads that were made to cost memory: none takes more than a small multiple of the limit."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.payload import PayloadCounter
from tests.support.balance import imbalances_of
from tests.support.builders import INVENTORY, NOW, ORIGIN
from tests.support.hostile import HOSTILE

LIMIT = 1024 * 1024
# What is held for any payload, however small: some thousand records, dead letters and waiting records.
BASE = 5 * 1024 * 1024


def _fresh() -> tuple[PayloadCounter, Delta]:
    attributor = Attributor(Index(INVENTORY))
    return PayloadCounter(Formats(), attributor, frozenset({"22"}), LIMIT, window=Window()), Delta()


def _peak(payload: bytes) -> tuple[int, Delta]:
    """Count a payload; return the most bytes that this took, without the payload itself."""
    counter, delta = _fresh()
    tracemalloc.start()
    try:
        counter.count(payload, ORIGIN, NOW, delta)
        counter.finish(NOW, delta)
        return tracemalloc.get_traced_memory()[1], delta
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [LIMIT, LIMIT // 3, LIMIT // 16])
@pytest.mark.parametrize("claim", HOSTILE)
def test_no_payload_takes_more_than_four_times_the_limit(claim: str, size: int) -> None:
    """Neither at the limit nor at the size from which a payload is looked at more closely; and the books balance."""
    text = HOSTILE[claim](size).encode()
    assert size // 2 <= len(text) <= size

    peak, delta = _peak(gzip.compress(text, 1))

    assert [] == imbalances_of(delta, payloads_in=1)
    assert peak <= 4 * LIMIT + BASE
