"""The command line: `kcl-flowlog run`, `check`, `healthcheck`, `policy`, `replay`, `inventory`, `who` and `demo`.

A mistake of the user is one sentence on stderr and exit code 2. If the
launcher gives up, `replay` can't read a file, or `who` has no answer, it is
one sentence and exit code 1. A stop by a signal is exit code 0.
"""

from __future__ import annotations

import importlib
import logging
import os
import platform
import sys
from typing import Any

import click

from kcl_flowlog import __version__
from kcl_flowlog.errors import ConfigError, FlowlogError
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.launcher.signals import StopRequests
from kcl_flowlog.options import SettingsCommand, all_settings, config_of, warn_of_unknown_variables

log = logging.getLogger(__name__)

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
# Imported only when used: they take time to load, or need packages that are not always installed.
_LAZY_COMMANDS = {
    "check": "kcl_flowlog.checks.check_command",
    "demo": "kcl_flowlog.demo.command",
    "healthcheck": "kcl_flowlog.healthcheck.command",
    "inventory": "kcl_flowlog.replay.inventory_command",
    "policy": "kcl_flowlog.checks.policy_command",
    "replay": "kcl_flowlog.replay.command",
    "who": "kcl_flowlog.who.command",
}
_INTERRUPTED = 130


class Commands(click.Group):
    """All commands, with those of `_LAZY_COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(ctx), *_LAZY_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name, or None if there is no such command."""
        if cmd_name in _LAZY_COMMANDS:
            command: click.Command = getattr(importlib.import_module(_LAZY_COMMANDS[cmd_name]), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=Commands, context_settings=_CONTEXT)
@click.version_option(
    __version__, prog_name="kcl-flowlog", message=f"%(prog)s, version %(version)s (python {platform.python_version()})"
)
def cli() -> None:
    """Count VPC Flow Logs per subnet, from a Kinesis stream, for Prometheus."""


@cli.command(cls=SettingsCommand)
@all_settings
@click.option("--shards", hidden=True, help="Accepted and ignored: the KCL finds the shards.")
@click.pass_obj
def run(stop: StopRequests, /, shards: str | None, **values: Any) -> None:
    """Count the flow logs of a stream, and serve the counts on /metrics.

    Runs until SIGTERM or Ctrl-C. Instances with the same --application share the shards of the stream.

    Each option can also be set with the environment variable in brackets, or in the file that --config.file
    names. An option overrides its variable, and a variable overrides the file.

    \b
    Examples:
      kcl-flowlog run --stream flow-logs --region eu-central-1
      KCL_FLOWLOG_STREAM=flow-logs kcl-flowlog run --log-deny
    """
    from kcl_flowlog import logs
    from kcl_flowlog.launcher import instance

    config = config_of(values)
    logs.configure(config.log_level, config.log_format)
    warn_of_unknown_variables(os.environ)
    if shards is not None:
        log.warning("--shards is no longer needed: the KCL finds the shards")
    instance.run(config, os.environ, sys.stdout.buffer, stop)


def main(stop: StopRequests | None = None) -> None:
    """Run the command line, and exit with its code; `run` ends once a stop is requested."""
    try:
        code = cli.main(prog_name="kcl-flowlog", standalone_mode=False, obj=stop or StopRequests())
    except click.exceptions.Exit as finished:
        code = finished.exit_code
    except click.ClickException as error:
        # Not the error's show(), which prints the usage first.
        click.echo(_message(error), err=True)
        code = error.exit_code
    except click.Abort:
        code = _INTERRUPTED
    except FlowlogError as error:
        click.echo(escape_unprintable(f"Error: {error}", keep="\n"), err=True)
        code = 2 if isinstance(error, ConfigError) else 1
    sys.exit(code or 0)


def _message(error: click.ClickException) -> str:
    # Without a command, click raises an error whose message is the help.
    is_help = type(error).__name__ == "NoArgsIsHelpError"
    if is_help:
        return error.format_message()
    return escape_unprintable(f"Error: {' '.join(error.format_message().split())}")
