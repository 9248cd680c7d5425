"""The command line: `kcl-flowlog run`, `replay`, `demo`.

Every mistake of the user is one sentence on stderr and exit code 2; giving up
is one sentence and exit code 1; a stop that was asked for is 0.
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
from kcl_flowlog.options import SettingsCommand, all_settings, config_of, warn_of_unknown_variables

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Commands(click.Group):
    """The commands; some are loaded only when they are asked for, as they need more packages, or more time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(ctx), *_LAZY])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        if cmd_name in _LAZY:
            command: click.Command = getattr(importlib.import_module(_LAZY[cmd_name]), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)


_LAZY = {"demo": "kcl_flowlog.demo.command", "replay": "kcl_flowlog.replay.command"}


@click.group(cls=Commands, context_settings=_CONTEXT)
@click.version_option(
    __version__, prog_name="kcl-flowlog", message=f"%(prog)s, version %(version)s (python {platform.python_version()})"
)
def cli() -> None:
    """Count VPC Flow Logs per subnet, from a Kinesis stream, for Prometheus."""


@cli.command(cls=SettingsCommand)
@all_settings
@click.option("--shards", hidden=True, help="Accepted and not needed: the KCL finds the shards.")
def run(shards: str | None, **values: Any) -> None:
    """Run an instance.

    It takes its share of the stream's shards, counts their flow logs per subnet, and serves the counts on
    /metrics until SIGTERM or Ctrl-C. Instances with the same --application share the work.

    \b
    Examples:
      kcl-flowlog run --stream flow-logs --region eu-central-1 --state-dir /var/lib/kcl-flowlog
      KCL_FLOWLOG_STREAM=flow-logs kcl-flowlog run --log-deny
    """
    from kcl_flowlog import logs
    from kcl_flowlog.launcher import instance

    config = config_of(values)
    logs.configure(config.log_level, config.log_format)
    warn_of_unknown_variables(os.environ)
    if shards is not None:
        logging.getLogger(__name__).warning("--shards is no longer needed: the KCL finds the shards itself")
    instance.run(config, os.environ, sys.stdout.buffer)


def _sentence(error: click.ClickException) -> str:
    # A bare `kcl-flowlog` asks for help; click tells it as an error whose message is the help.
    is_help = type(error).__name__ == "NoArgsIsHelpError"
    return error.format_message() if is_help else f"Error: {' '.join(error.format_message().split())}"


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        # Not its show(), which puts the usage before the sentence.
        click.echo(_sentence(error), err=True)
        code = error.exit_code
    except click.Abort:
        code = 130
    except ConfigError as error:
        click.echo(f"Error: {error}", err=True)
        code = 2
    except FlowlogError as error:
        click.echo(f"Error: {error}", err=True)
        code = 1
    sys.exit(code or 0)
