"""Denials are held until there are enough for a message, and never without a bound."""

from __future__ import annotations

from kcl_flowlog.commits.messages import Denials
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.processor.denial_queue import DenialQueue
from tests.processor.test_denials import NOW, RECORD


class _Messenger:
    def __init__(self) -> None:
        self.delivered: list[int] = []

    def request(self, message: Denials) -> None:
        self.delivered.append(len(message.lines))


def test_the_denials_of_a_large_payload_are_delivered_while_it_is_counted() -> None:
    """By number, and by size."""
    messenger = _Messenger()
    denials = DenialQueue(messenger, lambda: NOW)  # type: ignore[arg-type]

    for _ in range(10_001):
        denials.add(Denial(RECORD, None))
    for _ in range(99):
        denials.add(Denial(RECORD._replace(reject_reason="x" * 65_000), None))

    assert [10_000, 63] == messenger.delivered
