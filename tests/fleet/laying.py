"""Lay one rule on several gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.fleet.gate import Gate, Rule


@contextmanager
def laid(gates: Sequence[Gate], rule: Rule) -> Iterator[Callable[[], int]]:
    """Lay a rule on all gates while the block runs; yield a function that counts the requests it has concerned."""
    with ExitStack() as stack:
        on_gates = [stack.enter_context(gate.rule(rule)) for gate in gates]
        yield lambda: sum(each.requests for each in on_gates)
