"""A call that may hang, made with a time limit.

The call runs in a thread, which is left alone if it hangs. While it hangs no second call is made, so threads do not
pile up. Must not know what is called.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class OneCall:
    """Makes one call at a time."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        """Return what `call` returns, or raise what it raises.

        Raises `TimeoutError` if it does not end in time, and at once if an earlier call has not ended yet.
        """
        if self._thread is not None and self._thread.is_alive():
            raise TimeoutError("the last attempt still waits for an answer")
        answers: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                answers.append(call())
            # It is raised in the caller's thread.
            except BaseException as error:  # noqa: BLE001
                errors.append(error)

        self._thread = threading.Thread(target=run, name="one-call", daemon=True)
        self._thread.start()
        self._thread.join(seconds)
        if errors:
            raise errors[0]
        if not answers:
            raise TimeoutError(f"no answer within {seconds:g} s")
        return answers[0]
