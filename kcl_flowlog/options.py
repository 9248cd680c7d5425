"""The options of a command, made from the table of settings.

A value comes from the option, else from the environment variable, else from
the configuration file, else it is the default. Wherever it comes from, its
text is parsed here, once. A value that can't be used is a `ConfigError` that
names its place: the option, the variable, or the file and the line.
"""

from __future__ import annotations

import logging
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from kcl_flowlog import yaml_file
from kcl_flowlog.commits.processor_settings import PROCESSOR_KEY_VARIABLE, PROCESSOR_SETTINGS_VARIABLE
from kcl_flowlog.config import Config, settings
from kcl_flowlog.config_file import read_config_file
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.processor import faults
from kcl_flowlog.setting import CONFIG_FILE_VARIABLE, ENVIRONMENT_PREFIX, Setting

log = logging.getLogger(__name__)

# Spellings of flowlog-exporter, the predecessor, that still work.
_OLD_SPELLINGS = {"--log-deny": ("--log_deny",)}
_INTERNAL_VARIABLES = (PROCESSOR_SETTINGS_VARIABLE, PROCESSOR_KEY_VARIABLE, faults.VARIABLE)
# If a Service is called kcl-flowlog, Kubernetes sets …_SERVICE_HOST, …_PORT_10514_TCP and more in every container.
_LOOKS_LIKE_SETTING = re.compile(ENVIRONMENT_PREFIX + r"(?!SERVICE_(HOST|PORT)\b|SERVICE_PORT_|PORT(_[0-9]|$))")
# The column of the help where explanations start. A longer flag has a line to itself.
_COLUMN = 31
_NO_BREAK = "\N{NO-BREAK SPACE}"
_LEAST_WIDTH = 20  # of an explanation


class SettingType(click.ParamType):  # type: ignore[type-arg] # generic only since click 8.4
    """Parses the text of a setting."""

    name = "text"

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def split_envvar_value(self, rv: str) -> list[str]:
        """Return the texts in the environment variable of a repeatable setting."""
        return self._setting.split(rv)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value of a text; anything else has been parsed before. Raises `ConfigError`."""
        if not isinstance(value, str):
            return value
        try:
            return self._setting.parse(value)
        except ValueError as error:
            raise ConfigError(f"{self._place(value, param, ctx)}: {error}.") from None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the choices that begin with what the user has typed."""
        return [CompletionItem(choice) for choice in self._setting.choices if choice.startswith(incomplete)]

    def _place(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if isinstance(value, yaml_file.Scalar):
            return value.place
        source = ctx.get_parameter_source(param.name) if ctx and param and param.name else None
        return self._setting.variable if source is ParameterSource.ENVIRONMENT else self._setting.flag


class SwitchType(SettingType, click.types.BoolParamType):
    """Parses the text of a switch; click wants the type of a switch to be boolean."""


class SettingOption(click.Option):
    """The option of a setting."""

    def __init__(self, param_decls: Sequence[str], setting: Setting) -> None:
        self.setting = setting
        flags = [setting.flag, *_OLD_SPELLINGS.get(setting.flag, ())]
        if setting.is_switch:
            flags[0] = f"{setting.flag}/--no-{setting.key}"
        kind = SwitchType if setting.is_switch else SettingType
        several: dict[str, Any] = {"multiple": True, "callback": _collect} if setting.collect else {}
        default = setting.default_value() if setting.is_switch else setting.default
        alone: dict[str, Any] = {"is_flag": False, "flag_value": setting.without_value} if setting.without_value else {}
        super().__init__(
            [*flags, *param_decls],
            type=kind(setting),
            envvar=setting.variable,
            metavar=setting.metavar or None,
            help=setting.help,
            **(several or {"default": default}),
            **alone,
        )

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Add the flag that switches the setting off, which click has for boolean options only."""
        super().add_to_parser(parser, ctx)
        if self.setting.without_value:
            opposite = f"--no-{self.setting.key}"
            parser.add_option(obj=self, opts=[opposite], dest=self.name, action="store_const", const="off")

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Return the two columns of the help: the flag, and what it means."""
        setting = self.setting
        has_value = not setting.is_switch and not setting.without_value
        flag = f"{setting.shown_flag} {setting.metavar}" if has_value else setting.shown_flag
        choices = f" One of: {', '.join(setting.choices)}." if setting.choices else ""
        default = f" (default:{_NO_BREAK}{setting.default})" if setting.default else ""
        return flag, f"{setting.help}{choices}{default} [${setting.variable}]"


def _collect(ctx: click.Context, param: click.Parameter, value: Iterable[Any]) -> Any:
    assert isinstance(param, SettingOption) and param.setting.collect  # noqa: S101, PT018 - for mypy
    return param.setting.collect(value)


class SettingsCommand(click.Command):
    """A command whose help shows the settings under the headings of their groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then each group of settings, with all explanations aligned."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                group = param.setting.group if isinstance(param, SettingOption) else "Options"
                sections.setdefault(group, []).append(record)
        for group, records in sections.items():
            with formatter.section(group):
                for flag, text in records:
                    formatter.write(_help_lines(flag, text, formatter.width))


def _help_lines(flag: str, text: str, width: int) -> str:
    # Not with click's write_dl, which breaks words at hyphens, and aligns only the flags of one section.
    indent = " " * _COLUMN
    first = f"  {flag}"
    lines = textwrap.wrap(
        text,
        max(width, _COLUMN + _LEAST_WIDTH),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
    if lines and len(first) < _COLUMN - 1:
        lines[0] = first + lines[0][len(first) :]
    else:
        lines.insert(0, first)
    return "\n".join(lines).replace(_NO_BREAK, " ") + "\n"


def some_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives a command `--config.file` and the options of the settings named.

    The configuration file may hold every setting, also those that the command does not use.
    """
    table = settings()

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed([name for name in table if name in names]):
            function = click.option(name, cls=SettingOption, setting=table[name])(function)
        return click.option(
            "--config.file",
            "config_file",
            metavar="FILE",
            is_eager=True,
            expose_value=False,
            callback=_use_file,
            envvar=CONFIG_FILE_VARIABLE,
            help=f"YAML file of settings: each key is an option without its dashes. [${CONFIG_FILE_VARIABLE}]",
        )(function)

    return decorate


all_settings = some_settings(*settings())
"""Decorate a command with the options of all settings."""


def _use_file(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        ctx.default_map = {**(ctx.default_map or {}), **read_config_file(Path(value))}


def config_of(values: Mapping[str, Any]) -> Config:
    """Return the settings that click has parsed. Raises `ConfigError` if the stream is missing."""
    if values["stream"] is None:
        raise ConfigError("No stream: name the Kinesis stream with --stream NAME or KCL_FLOWLOG_STREAM.")
    return Config(**values)


def warn_of_unknown_variables(environ: Iterable[str]) -> None:
    """Log a warning for each variable that looks like a setting and is not: it is probably misspelt."""
    known = [CONFIG_FILE_VARIABLE, *(setting.variable for setting in settings().values())]
    # Compared without the prefix, which would make all of them similar.
    words = [name.removeprefix(ENVIRONMENT_PREFIX) for name in known]
    for name in sorted(environ):
        if name in (*known, *_INTERNAL_VARIABLES) or not _LOOKS_LIKE_SETTING.match(name):
            continue
        nearest = get_close_matches(name.removeprefix(ENVIRONMENT_PREFIX), words, n=1)
        fields = {"variable": name, **({"nearest": ENVIRONMENT_PREFIX + nearest[0]} if nearest else {})}
        log.warning("Ignored an unknown environment variable", extra={"fields": fields})
