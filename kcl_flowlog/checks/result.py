"""The results of checks, and how a table of checks runs. Knows nothing of what is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, one_line

OK, WARN, FAIL, SKIPPED = "ok", "warn", "fail", "skipped"

World = TypeVar("World")


class Result(NamedTuple):
    """What a check has found: `text` is one line that says what to do, or what is fine."""

    check: str
    outcome: str
    text: str


Finding = tuple[str, str]
"""An outcome and its text."""


@dataclass(frozen=True)
class Check(Generic[World]):
    """A check: what it is about, how it finds out, and which checks must not have failed before.

    `find` yields findings; a `ConfigError` or an error of AWS is a failure.
    """

    name: str
    find: Callable[[World], Iterable[Finding]]
    needs: Sequence[str] = ()


def run_checks(checks: Iterable[Check[World]], world: World) -> Iterator[Result]:
    """Yield the results of the checks, in their order."""
    failed: set[str] = set()
    for check in checks:
        missing = [name for name in check.needs if name in failed]
        if missing:
            failed.add(check.name)
            yield Result(check.name, SKIPPED, f"not checked, because of: {', '.join(missing)}")
            continue
        for outcome, text in _findings(check, world):
            if outcome == FAIL:
                failed.add(check.name)
            yield Result(check.name, outcome, text)


def _findings(check: Check[World], world: World) -> Iterator[Finding]:
    try:
        yield from check.find(world)
    except ConfigError as error:
        yield FAIL, str(error)
    except AWS_ERRORS as error:
        yield FAIL, f"AWS refuses: {one_line(error)}"
