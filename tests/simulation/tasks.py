"""Tasks that take turns: each runs until its next pause, and only if the schedule says so.

A task stands for a thread or a process of an instance. Its code calls `pause` at each point where others may come
between, and where it may be killed. Only one task runs at a time, so the same choices give the same run.
"""

from __future__ import annotations

from collections.abc import Callable

from greenlet import getcurrent, greenlet


class Killed(BaseException):
    """Ends a task that is killed; no code of the product catches it."""


class Task:
    """One task; `name` is for messages."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self.name = name
        self._work = work
        self._greenlet = greenlet(self._run)
        self._greenlet.task = self
        self.at = "its start"
        self.is_blocked: Callable[[], bool] | None = None
        self.waits_for: Task | None = None
        self.is_killed = False
        self.error: Exception | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return bool(self._greenlet.dead) or (self.is_killed and not self._greenlet)

    def step(self) -> None:
        """Go on to the next pause, or to the end."""
        self._greenlet.parent = getcurrent()
        self._greenlet.switch()

    def run(self, until: str = "") -> None:
        """Go on to the pause named `until`, or until it waits for somebody else, or to the end."""
        while not self.is_done:
            helper = self.waits_for
            if helper is not None and not helper.is_done:
                helper.run(until)
                if not helper.is_done:
                    self.at = helper.at
                    return
            if self.is_blocked is not None and self.is_blocked():
                return
            self.step()
            if until and self.at == until and not self.is_done:
                return

    def kill(self) -> None:
        """End it where it is; what it has begun but not finished is left as it is."""
        self.is_killed = True
        if self._greenlet:
            self._greenlet.parent = getcurrent()
            self._greenlet.throw(Killed)

    def _run(self) -> None:
        try:
            self._work()
        except Killed:
            pass
        except Exception as error:  # noqa: BLE001 - it ends a process of the model, which decides what follows
            self.error = error


def current() -> Task | None:
    """Return the task that runs, None if it is the schedule itself."""
    return getattr(getcurrent(), "task", None)


def pause(name: str) -> None:
    """Let others come between; `name` says before what, or waiting for what."""
    task = current()
    if task is None or task.is_killed:
        return
    task.at = name
    getcurrent().parent.switch()


def wait_until(name: str, is_over: Callable[[], bool]) -> None:
    """Pause until a condition holds."""
    task = current()
    while not is_over():
        if task is None:
            raise AssertionError(f"The schedule itself can't wait: {name}.")
        if task.is_killed:
            return
        task.is_blocked = lambda: not is_over()
        pause(name)
    if task is not None:
        task.is_blocked = None


def wait_for(other: Task) -> None:
    """Pause until another task has ended; whoever runs this task, runs the other."""
    task = current()
    if task is None:
        other.run()
        return
    task.waits_for = other
    while not other.is_done and not task.is_killed:
        pause(f"waiting for {other.name}")
    task.waits_for = None
