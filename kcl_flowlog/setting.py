"""What a setting is: one row of the table in `kcl_flowlog.config`.

Knows how a user names a setting and writes its value, and nothing of where
the value was given. `setting`, `optional_file` and `repeatable` make the
fields of `Config`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kcl_flowlog.values import one_of, parse_optional_path, parse_switch, parse_text

ENVIRONMENT_PREFIX = "KCL_FLOWLOG_"
CONFIG_FILE_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG_FILE"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a user sets one field of `Config`.

    `default` is written as a user would write it; None means that the setting
    is required. `parse` turns text into the value, or raises `ValueError`.
    A setting with `without_value` can be switched on and off as well: its flag
    may stand alone, and then has this value.
    A repeatable setting has `collect`, which turns the parsed values into the
    field's; `split` separates the texts in its environment variable. The
    value of a secret setting may hold a password; no page shows it.
    """

    flag: str
    group: str
    help: str
    default: str | None
    parse: Callable[[str], Any]
    metavar: str = ""
    choices: tuple[str, ...] = ()
    without_value: str = ""
    collect: Callable[[Iterable[Any]], Any] | None = None
    split: Callable[[str], list[str]] = str.split
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return ENVIRONMENT_PREFIX + re.sub(r"[.-]", "_", self.key).upper()

    @property
    def key(self) -> str:
        """Its key in the configuration file: the flag without its dashes."""
        return self.flag.removeprefix("--")

    @property
    def is_switch(self) -> bool:
        """True if it is on or off, and its flag takes no value."""
        return self.parse is parse_switch

    @property
    def shown_flag(self) -> str:
        """Its flag as the help shows it, without the value that must follow."""
        if self.is_switch:
            return f"--[no-]{self.key}"
        return f"--[no-]{self.key}[={self.metavar}]" if self.without_value else self.flag

    def default_value(self) -> Any:
        """Return the value of the default."""
        if self.collect is not None:
            return self.collect(())
        return None if self.default is None else self.parse(self.default)


def setting(
    *,
    flag: str,
    group: str,
    help: str,
    default: str | None,
    parse: Callable[[str], Any] | None = None,
    metavar: str = "",
    choices: tuple[str, ...] = (),
    is_secret: bool = False,
    without_value: str = "",
) -> Any:
    """Return a field of `Config` that holds one value; with `choices` and without `parse`, one of them."""
    return _field(
        Setting(
            flag=flag,
            group=group,
            help=help,
            default=default,
            parse=parse or (one_of(choices) if choices else parse_text),
            metavar=metavar,
            choices=choices,
            is_secret=is_secret,
            without_value=without_value,
        )
    )


def optional_file(*, flag: str, group: str, help: str) -> Any:
    """Return a field of `Config` that holds the path of a file, and None by default."""
    return setting(flag=flag, group=group, help=help, default="", parse=parse_optional_path, metavar="FILE")


def repeatable(
    *,
    flag: str,
    group: str,
    help: str,
    metavar: str,
    parse: Callable[[str], Any] = parse_text,
    collect: Callable[[Iterable[Any]], Any] = tuple,
    split: Callable[[str], list[str]] = str.split,
    is_secret: bool = False,
) -> Any:
    """Return a field of `Config` that may be set several times, and is empty by default."""
    return _field(
        Setting(
            flag=flag,
            group=group,
            help=help,
            default="",
            parse=parse,
            metavar=metavar,
            collect=collect,
            split=split,
            is_secret=is_secret,
        )
    )


def _field(row: Setting) -> Any:
    metadata = {"setting": row}
    if row.default is None:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default_factory=row.default_value, metadata=metadata)
