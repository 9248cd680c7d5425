"""The command `kcl-flowlog check`: runs all checks with the settings of `run`, and prints what to do."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

import click

from kcl_flowlog import logs
from kcl_flowlog.checks.all_checks import CHECKS
from kcl_flowlog.checks.result import FAIL, OK, SKIPPED, WARN, Result, run_checks
from kcl_flowlog.checks.world import World
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.options import SettingsCommand, all_settings, config_of, warn_of_unknown_variables

_SIGNS = {OK: "✓", WARN: "!", FAIL: "✗", SKIPPED: "-"}
_NOTHING_TO_FIX, _SOMETHING_TO_FIX = 0, 2


@click.command(cls=SettingsCommand)
@click.option(
    "--output", type=click.Choice(("table", "json")), default="table", show_default=True, help="Format of the result."
)
@all_settings
def check(output: str, **values: Any) -> None:
    """Check everything that `run` needs with the same settings: this machine, permissions, stream, flow logs.

    Changes nothing. The exit code is 2 if anything (✗) keeps `run` from counting, else 0, also with warnings (!).

    \b
    Examples:
      kcl-flowlog check --stream flow-logs --region eu-central-1
      kcl-flowlog check --config.file kcl-flowlog.yml --output json
    """
    config = config_of(values)
    # The checks themselves say what a warning in the log would.
    logs.configure("error", config.log_format)
    warn_of_unknown_variables(os.environ)
    results = run_checks(CHECKS, World(config, os.environ))
    sys.exit(print_results(results, output))


def print_results(results: Iterable[Result], output: str) -> int:
    """Print the results, as they come; return the exit code."""
    printed: list[Result] = []
    for result in results:
        printed.append(result)
        if output == "table":
            click.echo(_line(result))
    if output == "json":
        click.echo(json.dumps([result._asdict() for result in printed], indent=2))
    return _SOMETHING_TO_FIX if any(result.outcome == FAIL for result in printed) else _NOTHING_TO_FIX


def _line(result: Result) -> str:
    sign = _SIGNS[result.outcome]
    if not _can_print(sign):
        sign = result.outcome.ljust(len(SKIPPED))
    return f"{sign} {result.check:<15}  {escape_unprintable(result.text)}"


def _can_print(sign: str) -> bool:
    try:
        sign.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
