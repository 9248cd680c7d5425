"""The settings of an instance as its page shows them: as a user would write them, without what is secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kcl_flowlog.config import Config, settings
from kcl_flowlog.setting import Setting
from kcl_flowlog.values import host_and_port
from kcl_flowlog.web.overview import SettingLine

_NOT_SHOWN = "set, not shown"


def shown_settings(config: Config) -> Sequence[SettingLine]:
    """Return a line for each setting, in the order of the table."""
    return [_line(getattr(config, name), row) for name, row in settings().items()]


def _line(value: Any, row: Setting) -> SettingLine:
    if row.default is not None and value == row.default_value():
        return SettingLine(row.flag, row.default, True)
    return SettingLine(row.flag, _NOT_SHOWN if row.is_secret else _text(value), False)


def _text(value: Any) -> str:
    return _TEXTS.get(type(value), str)(value)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(_text, values))


_TEXTS: Mapping[type, Callable[[Any], str]] = {
    bool: lambda value: "on" if value else "off",
    float: lambda value: f"{value:g}s",
    datetime: datetime.isoformat,
    frozenset: lambda value: _listed(sorted(value, key=int)),
    # The only tuple with a number is an address to listen on.
    tuple: lambda value: host_and_port(*value) if value and isinstance(value[-1], int) else _listed(value),
}
