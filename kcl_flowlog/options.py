"""The command line's options, made from the table of settings.

A setting is taken from its flag, else from its environment variable, else
from the configuration file, else from its default. An unknown key of the file
is an error with its line, as a misspelt setting would otherwise just not
work.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kcl_flowlog import yaml_file
from kcl_flowlog.config import Config, Kind, Setting, parse_seconds, settings

# Options of flowlog-exporter, which this succeeds, that are still understood; see `kcl_flowlog.cli`.
OLD_SPELLINGS = {"--log-deny": ("--log_deny",)}


class Seconds(click.ParamType):  # type: ignore[type-arg] # generic only since click 8.4
    """A duration such as 90, 90s, 30m or 24h."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        try:
            return parse_seconds(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class Line(click.ParamType):  # type: ignore[type-arg] # generic only since click 8.4
    """A text that may hold spaces; a variable with several has each on a line of its own."""

    name = "TEXT"
    envvar_list_splitter = "\n"


_SEVERAL = ("list", "lines")
_TYPES: dict[Kind, Any] = {
    "text": str,
    "integer": int,
    "seconds": Seconds(),
    "path": str,
    "list": str,
    "lines": Line(),
}


def some_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives a command `--config.file` and an option for each setting named.

    A configuration file may hold all settings, whichever the command takes.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for field, setting in reversed(settings()):
            if field.name in names:
                function = _option(field.name, setting, field.default)(function)
        return click.option(
            "--config.file",
            "config_file",
            metavar="FILE",
            is_eager=True,
            expose_value=False,
            callback=_use_file,
            envvar="KCL_FLOWLOG_CONFIG_FILE",
            show_envvar=True,
            help="YAML file of settings: each key is an option's name without its dashes.",
        )(function)

    return decorate


all_settings = some_settings(*(field.name for field, _ in settings()))
"""Decorate a command with every setting."""


def _option(name: str, setting: Setting, default: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    flags = [setting.flag, *OLD_SPELLINGS.get(setting.flag, ())]
    common: dict[str, Any] = {"envvar": setting.variable, "show_envvar": True, "help": setting.help}
    if setting.kind == "switch":
        on_off = f"{setting.flag}/--no-{setting.key}"
        return click.option(on_off, *flags[1:], name, default=default, **common)
    if setting.kind == "choice":
        return click.option(
            *flags, name, type=click.Choice(setting.choices), default=default, show_default=True, **common
        )
    return click.option(
        *flags,
        name,
        type=_TYPES[setting.kind],
        default=default,
        multiple=setting.kind in _SEVERAL,
        metavar=setting.metavar,
        show_default=_shown(setting, default),
        **common,
    )


def _shown(setting: Setting, default: Any) -> bool | str:
    if setting.kind == "seconds":
        return f"{default:g}s"
    return default not in ("", ())


def _use_file(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        ctx.default_map = {**(ctx.default_map or {}), **read_file(Path(value))}


def read_file(path: Path) -> dict[str, Any]:
    """Return the settings in a configuration file by their field names. Raises `ConfigError`."""
    known = {setting.key: (field.name, setting.kind) for field, setting in settings()}
    section = yaml_file.read(path).allow(known)
    values: dict[str, Any] = {}
    for key in section:
        name, kind = known[key]
        # As text: click converts it just as it would a flag's.
        values[name] = _several(section.value(key)) if kind in _SEVERAL else section.text(key)
    return values


def _several(value: yaml_file.Value) -> list[str]:
    return value if isinstance(value, list) else [value]


def config_of(values: dict[str, Any]) -> Config:
    """Return the settings that click has parsed."""
    return Config(**values)
