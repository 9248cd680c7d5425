"""One flow log format, compiled, and how it reads a line.

A line does not name its format; `kcl_flowlog.counting.formats` chooses one.
A line that does not fit raises `Malformed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from kcl_flowlog.counting import transit_gateway
from kcl_flowlog.counting.fields import FIELDS, KINDS, NO_VALUE
from kcl_flowlog.counting.flow_record import USED_FIELDS, WITHOUT_FLOW, FlowRecord, record_from_words
from kcl_flowlog.errors import ConfigError, Malformed

DEFAULT_FORMAT = " ".join(f"${{{name}}}" for name, field in FIELDS.items() if field.version == 2)


class LineFormat:
    """A flow log format: `LineFormat("${version} ${interface-id} …").parse(line)`.

    A field of an unknown name takes its place in the line and is not read.
    Raises `ConfigError` if the text is not a valid format.
    """

    def __init__(self, text: str = DEFAULT_FORMAT) -> None:
        self.text = text
        self.fields = _field_names(text)
        self._has_addresses = "srcaddr" in self.fields and "dstaddr" in self.fields
        self._pick = self.picker(USED_FIELDS)
        self._kinds = [KINDS[FIELDS[name].kind if name in FIELDS else "text"] for name in self.fields]
        self._pick_status = self.picker(("log-status",))
        self._pick_version = self.picker(("version",))
        self._version = max(map(_version_of, self.fields))
        self._has_later_fields = any(_version_of(name) == 0 for name in self.fields)

    @property
    def unknown_fields(self) -> list[str]:
        """The fields that neither VPCs nor transit gateways have."""
        return [name for name in self.fields if _version_of(name) == 0]

    def picker(self, names: Sequence[str]) -> Callable[[list[str]], Any]:
        """Return what picks the words of fields from those of a line, with a `-` behind them for missing fields."""
        return itemgetter(*(self.fields.index(name) if name in self.fields else len(self.fields) for name in names))

    def parse(self, line: str) -> FlowRecord:
        """Return the record of a line. Raises `Malformed`."""
        words = line.split()
        if len(words) != len(self.fields):
            raise Malformed("field_count")
        return self.read(words)

    def read(self, words: list[str]) -> FlowRecord:
        """Return the record of a line's words, as many as the format has fields. Raises `Malformed`."""
        return record_from_words(self._pick([*words, NO_VALUE]), self._has_addresses)

    def reads(self, words: list[str], record: FlowRecord) -> bool:
        """Tell whether it reads this record from a line's words."""
        try:
            return len(words) == len(self.fields) and self.read(words) == record
        except Malformed:
            return False

    def words_by_field(self, words: list[str]) -> dict[str, str]:
        """Return a line's words by the names of the fields."""
        return dict(zip(self.fields, words, strict=True))

    def fits(self, words: list[str]) -> bool:
        """Tell whether each word looks like a value of its field, and the version is that of the format."""
        return (
            len(words) == len(self._kinds)
            and all(map(_is_value, self._kinds, words))
            and self._may_have_version(self._pick_version([*words, NO_VALUE]))
        )

    def is_without_flow(self, words: list[str]) -> bool:
        """Tell whether the log status says that there is no flow; then the other words don't matter."""
        return len(words) == len(self.fields) and self._pick_status([*words, NO_VALUE]) in WITHOUT_FLOW

    def _may_have_version(self, word: str) -> bool:
        """The version of a line is the highest version among its format's fields."""
        if word == NO_VALUE:
            return True
        return int(word) == self._version or (self._has_later_fields and int(word) > self._version)


def _version_of(name: str) -> int:
    """Return the version that brought a field, 0 if it is not known."""
    if name in transit_gateway.FIELDS:
        return transit_gateway.VERSION
    return FIELDS[name].version if name in FIELDS else 0


def _is_value(matches: Callable[[str], object], word: str) -> bool:
    return word == NO_VALUE or bool(matches(word))


def _field_names(text: str) -> tuple[str, ...]:
    words = text.split()
    if not words:
        raise ConfigError("--flow-log-format is empty; give it as AWS shows it: '${version} ${interface-id} …'.")
    names: list[str] = []
    for word in words:
        match = re.fullmatch(r"\$\{([a-z0-9-]+)\}", word)
        if match is None:
            raise ConfigError(f"--flow-log-format: {word!r} is not of the form ${{field-name}}.")
        if match[1] in names:
            raise ConfigError(f"--flow-log-format names {match[1]!r} twice.")
        names.append(match[1])
    return tuple(names)
