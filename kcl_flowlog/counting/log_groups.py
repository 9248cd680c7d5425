"""The log groups that are counted, chosen by the patterns of `--log-group`.

A subscription of a whole account sends the events of every log group. A
pattern is a glob in which `*` matches slashes as well; with `!` in front it
excludes, and an exclusion wins. If no pattern includes, all log groups but the
excluded are counted. Events that name no log group are always counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate

from kcl_flowlog.counting.bounded_cache import BoundedCache

_EXCLUDES = "!"


class LogGroups:
    """The log groups that the patterns choose; at most `max_names` names are in memory at a time."""

    def __init__(self, patterns: Sequence[str] = (), max_names: int = 4096) -> None:
        self._included = [_compile(pattern) for pattern in patterns if not pattern.startswith(_EXCLUDES)]
        self._excluded = [_compile(pattern[1:]) for pattern in patterns if pattern.startswith(_EXCLUDES)]
        self._known = BoundedCache(self._matches, max_names)

    def has(self, name: str) -> bool:
        """Tell whether the events of a log group are counted."""
        return not name or self._known[name]

    def _matches(self, name: str) -> bool:
        if any(pattern.match(name) for pattern in self._excluded):
            return False
        return not self._included or any(pattern.match(name) for pattern in self._included)


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
