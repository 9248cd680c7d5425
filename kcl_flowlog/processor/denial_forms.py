"""The forms of `--log-deny`: how a denial becomes a line of JSON.

Promises one valid JSON object on one line for any denial, whatever its record holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.processor.denial_ecs import ecs_event
from kcl_flowlog.processor.denial_facts import Facts, facts_of
from kcl_flowlog.processor.denial_ocsf import ocsf_event
from kcl_flowlog.processor.denials import denial_line

MakeLine = Callable[[Denial, float], msgspec.Raw]
"""Makes the line of a denial at a time in Unix seconds."""

_EVENTS: Mapping[str, Callable[[Facts, float], Mapping[str, object]]] = {"ecs": ecs_event, "ocsf": ocsf_event}

# Of fields: formats may have any number of names that are not known yet.
_MAX_NAMES = 1024

_encode = msgspec.json.Encoder().encode


def line_maker(form: str, formats: Formats) -> MakeLine:
    """Return what makes the lines of a form, a choice of `--log-deny`; `formats` have read the denials' lines."""
    make_event = _EVENTS.get(form)
    if make_event is None:
        return denial_line

    def make_line(denial: Denial, now: float) -> msgspec.Raw:
        words = formats.words_by_field(denial.line, denial.log_stream, denial.record)
        text = _encode(nested(make_event(facts_of(denial, words), now))).decode()
        return msgspec.Raw(escape_unprintable(text).encode())

    return make_line


def nested(values: Mapping[str, object]) -> dict[str, Any]:
    """Return the values in objects within objects: `a.b` is `b` in `a`. A value that is None is left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if value is None:
            continue
        outer, last = _parts(name)
        inner = found
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return found


@lru_cache(_MAX_NAMES)
def _parts(name: str) -> tuple[list[str], str]:
    *outer, last = name.split(".")
    return outer, last
