"""A record that kills while small records are counted together: it costs one death more, and no other record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kcl_flowlog.commits.claims import Care, LeaseRow, digest, with_claim
from kcl_flowlog.commits.deaths import DEATHS, care_needed, poison
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.columns.counter import ColumnCounter
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.processor.in_hand import RecordInHand
from tests.support.columns import as_cloudwatch_logs
from tests.support.conversation import GOOD
from tests.support.processors import Driver

_FATAL = GOOD.replace("198.51.100.7", "198.51.100.66")
_MOST_LIVES = 9


class _Death(BaseException):
    """Stands for a SIGKILL: nothing may catch it."""


def _live_and_die(driver: Driver, lines: list[str]) -> list[Position | None]:
    """Deliver one record for each line to one processor after the other, until one survives.

    Return which record each of the others had in hand when it died.
    """
    payloads = [as_cloudwatch_logs([line], first=number) for number, line in enumerate(lines)]
    row = LeaseRow("owner", Position("TRIM_HORIZON"))
    died_of: list[Position | None] = []
    for life in range(_MOST_LIVES):
        suspect = died_of[-1] if died_of else None
        care = care_needed(row)
        row = row._replace(claims=with_claim(row, f"token{life}", digest(suspect) if suspect else "", care))
        driver.messenger.permit = [care.name, *poison(row)]
        driver.processor = driver.new_processor()
        driver.initialize()
        try:
            driver.deliver(*enumerate(payloads, 101))
        except _Death:
            died_of.append(RecordInHand(driver.note).suspect)
        else:
            assert Care.NORMAL is care
            break
    return died_of


@pytest.mark.parametrize(
    ("fatal", "expected"),
    [
        (0, ["103", *["101"] * DEATHS]),
        (1, ["103", *["102"] * DEATHS]),
        (2, ["103"] * DEATHS),
    ],
)
def test_a_record_that_kills_within_a_block_is_skipped_one_death_later(
    fatal: int, expected: list[str], driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first death is blamed on the last record of the block; then each record is counted alone."""
    count_lines = ColumnCounter.count_lines

    def die(self: ColumnCounter, lines: Any, *rest: Any) -> Any:
        if _FATAL in lines.messages(np.arange(lines.count)):
            raise _Death
        return count_lines(self, lines, *rest)

    monkeypatch.setattr(ColumnCounter, "count_lines", die)
    lines = [GOOD] * 3
    lines[fatal] = _FATAL

    died_of = _live_and_die(driver, lines)

    assert [Position(sequence) for sequence in expected] == died_of
    assert [(str(101 + fatal), 0)] == driver.checkpoints
    driver.wait_for_the_next_commit()
    driver.deliver()
    assert (2, 1) == (driver.flows, driver.count(counts.MALFORMED, "payload_poison"))
