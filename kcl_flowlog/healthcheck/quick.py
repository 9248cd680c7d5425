"""The usual calls of `kcl-flowlog healthcheck`, without the libraries of the command line, which take long to import.

Understands `--option value` and `--option=value`, the environment and the configuration file, as the command line
does. Leaves everything else to it: help, mistakes, other options.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kcl_flowlog.config import settings
from kcl_flowlog.errors import FlowlogError, Unhealthy
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.healthcheck.probe import HEALTHY, READY, TIMEOUT, Question, ask
from kcl_flowlog.setting import CONFIG_FILE_VARIABLE
from kcl_flowlog.values import at_least, parse_duration

SETTINGS = ("web_listen_address", "web_config_file")
"""The settings of `run` that say where and how an instance answers."""

parse_timeout = at_least("100ms", parse_duration)
"""Parse the value of --timeout. Raises `ValueError`."""

_OWN = ("--timeout", "--client-cert", "--client-key")


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int | None:
    """Ask, and return the exit code; None if the command line has to do it."""
    question = read_question(arguments, environ)
    if question is None:
        return None
    try:
        print(ask(question))
    except Unhealthy as error:
        print(escape_unprintable(f"Error: {error}"), file=sys.stderr)
        return 1
    return 0


def read_question(arguments: Sequence[str], environ: Mapping[str, str]) -> Question | None:
    """Return what the arguments ask for; None if the command line has to read them."""
    table = {name: row for name, row in settings().items() if name in SETTINGS}
    given = _split(arguments, [*_OWN, "--config.file", *(row.flag for row in table.values())])
    if given is None:
        return None
    try:
        file = given.get("--config.file", environ.get(CONFIG_FILE_VARIABLE))
        in_file = _read(Path(file)) if file else {}
        values = {
            name: row.parse(given.get(row.flag, environ.get(row.variable) or in_file.get(name, row.default or "")))
            for name, row in table.items()
        }
        return Question(
            address=values["web_listen_address"],
            page=READY if "--ready" in given else HEALTHY,
            timeout=parse_timeout(given.get("--timeout", TIMEOUT)),
            client_cert=_path(given.get("--client-cert")),
            client_key=_path(given.get("--client-key")),
            web_config_file=values["web_config_file"],
        )
    except (FlowlogError, ValueError):
        return None


def _read(file: Path) -> Mapping[str, str]:
    # Its library takes as long to import as everything else together.
    from kcl_flowlog.config_file import read_config_file

    return read_config_file(file)


def _path(text: str | None) -> Path | None:
    return Path(text) if text is not None else None


def _split(arguments: Sequence[str], flags: Sequence[str]) -> Mapping[str, str] | None:
    """Return the value of each flag; None if there is anything else."""
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag == "--ready" and not equals:
            given[flag] = ""
        elif flag in flags and (equals or rest):
            given[flag] = value if equals else rest.pop(0)
        else:
            return None
    return given
