"""Turns for one thread at a time, in fair order."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from kcl_flowlog.web.fair_gate import FairGate
from tests.support.waiting import PATIENCE, eventually


class Crowd:
    """Threads that come to a gate one after the other, each for a client.

    A thread that gets its turn keeps it until `end`. `passed` are the clients that had a turn, in order; `refused`
    are those that had none.
    """

    def __init__(self, max_waiting: int) -> None:
        self.gate = FairGate(max_waiting)
        self.passed: list[str] = []
        self.refused: list[str] = []
        self._may_leave = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    def come(self, client: str) -> None:
        """Return once the thread waits, has its turn, or is refused."""
        before = self.gate.waiting + len(self.passed) + len(self.refused)
        thread = threading.Thread(target=self._visit, args=(client,), daemon=True)
        self._threads.append(thread)
        thread.start()
        assert eventually(lambda: self.gate.waiting + len(self.passed) + len(self.refused) > before)

    def _visit(self, client: str) -> None:
        with self.gate.turn(client) as has_turn:
            (self.passed if has_turn else self.refused).append(client)
            if has_turn:
                self._may_leave.acquire(timeout=PATIENCE)

    def end(self) -> None:
        """Let everybody pass who waits."""
        for _ in self._threads:
            self._may_leave.release()
        for thread in self._threads:
            thread.join(PATIENCE)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """A gate with room for four that wait."""
    crowd = Crowd(max_waiting=4)
    yield crowd
    crowd.end()


@pytest.mark.parametrize(
    ("come", "passed", "refused"),
    [
        ("", "", ""),
        ("a", "a", ""),
        ("abc", "abc", ""),
        ("aaaaa", "aaaaa", ""),
        # A client waits for one turn of each other client, not for all of their turns.
        ("aaaab", "abaaa", ""),
        ("aaabc", "abcaa", ""),
        # Beyond the limit, a client that has as many waiting as any other is refused at once …
        ("aaaaaa", "aaaaa", "a"),
        ("abcdef", "abcde", "f"),
        ("aabbccc", "abcab", "cc"),
        # … and a client with fewer takes the last place of the client that has most.
        ("aaaaab", "abaaa", "a"),
        ("aaaaabc", "abcaa", "aa"),
        ("aaaaabbb", "ababa", "aab"),
    ],
)
def test_turns_go_round_the_clients(crowd: Crowd, come: str, passed: str, refused: str) -> None:
    """The first to come has its turn while all others come."""
    for client in come:
        crowd.come(client)
    crowd.end()

    assert (passed, refused) == ("".join(crowd.passed), "".join(crowd.refused))


def test_the_gate_is_free_after_a_failure() -> None:
    """An exception within a turn ends the turn."""
    gate = FairGate(0)
    with pytest.raises(ZeroDivisionError), gate.turn("a"):
        raise ZeroDivisionError

    with gate.turn("a") as has_turn:
        assert has_turn
