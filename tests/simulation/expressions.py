"""Condition and update expressions of DynamoDB, as far as the product uses them, made into functions once.

A condition has `AND`, `OR`, `NOT`, comparisons, `attribute_exists` and `attribute_not_exists`; an update has `SET`,
`ADD` and `REMOVE`. An unknown word raises `ValueError`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

Values = Mapping[str, Any]
Operand = Callable[[Values, Values], Any]
Condition = Callable[[Values, Values], bool]
Change = Callable[[dict[str, Any], Values], None]

_TOKEN = re.compile(r"\s*([:#]?\w+|<>|<=|>=|[=<>(),+-])")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MISSING = object()


@cache
def condition(text: str, names: tuple[tuple[str, str], ...] = ()) -> Condition:
    """Return a function of a row and the values, which tells whether the condition is met."""
    reader = _Reader(text, dict(names))
    parsed = reader.any_of()
    reader.expect("")
    return parsed


@cache
def update(text: str, names: tuple[tuple[str, str], ...] = ()) -> Change:
    """Return a function of a row and the values, which changes the row."""
    return _Reader(text, dict(names)).update()


class _Reader:
    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        self._tokens = _TOKEN.findall(text)
        if "".join(self._tokens) != re.sub(r"\s", "", text):
            raise ValueError(text)
        self._names = names
        self._place = 0

    @property
    def _next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        self._place += 1
        return str(self._tokens[self._place - 1])

    def _takes(self, word: str) -> bool:
        is_next = self._next.upper() == word
        self._place += is_next
        return is_next

    def expect(self, token: str) -> None:
        if self._next != token:
            raise ValueError(f"{token!r} is missing before {self._next!r}")
        self._place += bool(token)

    def any_of(self) -> Condition:
        terms = [self._all_of()]
        while self._takes("OR"):
            terms.append(self._all_of())
        return lambda row, values: any(term(row, values) for term in terms)

    def _all_of(self) -> Condition:
        terms = [self._term()]
        while self._takes("AND"):
            terms.append(self._term())
        return lambda row, values: all(term(row, values) for term in terms)

    def _term(self) -> Condition:
        if self._takes("NOT"):
            inner = self._term()
            return lambda row, values: not inner(row, values)
        if self._takes("("):
            grouped = self.any_of()
            self.expect(")")
            return grouped
        if self._next in ("attribute_exists", "attribute_not_exists"):
            must_exist = self._take() == "attribute_exists"
            self.expect("(")
            name = self._name()
            self.expect(")")
            return lambda row, values: (name in row) == must_exist
        left = self._operand()
        compare = _COMPARISONS[self._take()]
        right = self._operand()
        return lambda row, values: _compare(compare, left(row, values), right(row, values))

    def update(self) -> Change:
        changes: list[Change] = []
        while self._next:
            section = self._take().upper()
            changes.append(self._change(section))
            while self._takes(","):
                changes.append(self._change(section))

        def apply(row: dict[str, Any], values: Values) -> None:
            before = dict(row)
            for change in changes:
                change(row, {**values, "": before})

        return apply

    def _change(self, section: str) -> Change:
        name = self._name()
        if section == "REMOVE":
            return lambda row, values: _remove(row, name)
        if section == "ADD":
            added = self._operand()
            return lambda row, values: row.__setitem__(name, row.get(name, 0) + added(row, values))
        if section != "SET":
            raise ValueError(section)
        self.expect("=")
        first = self._operand()
        if self._next not in ("+", "-"):
            return lambda row, values: row.__setitem__(name, first(values[""], values))
        sign = 1 if self._take() == "+" else -1
        second = self._operand()
        return lambda row, values: row.__setitem__(name, first(values[""], values) + sign * second(values[""], values))

    def _operand(self) -> Operand:
        if self._next == "if_not_exists":
            self._take()
            self.expect("(")
            name = self._name()
            self.expect(",")
            default = self._operand()
            self.expect(")")
            return lambda row, values: row[name] if name in row else default(row, values)
        if self._next.startswith(":"):
            key = self._take()
            return lambda row, values: values[key]
        path = self._name()
        return lambda row, values: row.get(path, _MISSING)

    def _name(self) -> str:
        token = self._take()
        return self._names[token] if token.startswith("#") else token


def _compare(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    # A comparison with an attribute that is missing is false, also `<>`.
    return left is not _MISSING and right is not _MISSING and compare(left, right)


def _remove(row: dict[str, Any], name: str) -> None:
    row.pop(name, None)
