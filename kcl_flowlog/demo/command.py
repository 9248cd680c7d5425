"""The command `kcl-flowlog demo`: its options and help. The work is in `session`.

It imports the libraries of the extra `demo` only when it runs, so the command line
works without them.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

import click

from kcl_flowlog.demo.stop_request import StopRequest
from kcl_flowlog.demo.story import STORY, description
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.values import parse_duration

_HELP_WIDTH = 76
_PACKAGES = ("boto3", "h2", "hypercorn", "moto", "rich")


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Return a time such as 90s or 3m in seconds."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", ctx, param) from error


def _story_table() -> str:
    """Return the acts of the story, for the help."""
    lines = ["The acts of --story; for the alerts, a second is a minute:"]
    for act in STORY:
        lines += [f"  second {act.start} to {act.end}: {act.title}", *(f"    {line}" for line in description(act))]
    # \b keeps the lines as they are.
    return "\b\n" + "\n".join(part for line in lines for part in _wrapped(line))


def _wrapped(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(line, _HELP_WIDTH, subsequent_indent=f"{indent}  ", break_on_hyphens=False)


@click.command(epilog=_story_table())
@click.option(
    "--duration",
    callback=_seconds,
    metavar="TIME",
    help="How long to send traffic, from the start of the demo. Default: until Ctrl-C, or the end of the story.",
)
@click.option(
    "--story",
    is_flag=True,
    help="Tell a story: a burst of rejects, a scan, a spray, S3 through NAT, a stopped interface; see below.",
)
@click.option(
    "--no-table",
    is_flag=True,
    help="Print a plain line every 5 s instead of the table. This is the default if stdout is not a terminal.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    metavar="N",
    help="Flow records to send per second.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Seed of the generated traffic.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=10514,
    show_default=True,
    metavar="PORT",
    help="Port of the metrics page; 0 for any free port.",
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Empty directory for the ledger and the log; the demo keeps it. Default: a temporary directory.",
)
@click.option(
    "--deny",
    multiple=True,
    type=click.Choice(("DescribeNetworkInterfaces", "DescribeFlowLogs")),
    help="Refuse an EC2 action, to see that the figures stay equal; may be repeated.",
)
def demo(**chosen: Any) -> None:
    """Run everything on this machine, without an AWS account, and check that each record is counted once.

    The demo has an embedded AWS, two VPCs with the same addresses, generated
    traffic, the real KCL daemon (which needs Java) and the metrics page. At the
    end it compares what was generated with what was counted: the exit status is
    0 if they are equal to the last digit, else 1.
    """
    stop_request = StopRequest()
    with stop_request.captured(ends_process=True):
        status = _run(stop_request, **chosen)
    sys.exit(status)


def _run(stop_request: StopRequest, *, duration: float | None, no_table: bool, **chosen: Any) -> int:
    """Run the demo with the options of the command line; return the exit status."""
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES):
        raise ConfigError("The demo needs more packages: pip install 'kcl-flowlog[demo]'.")
    from kcl_flowlog.demo.monitor import Times
    from kcl_flowlog.demo.session import Options, Session

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    options = Options(
        times=Times(duration=duration),
        has_screen=width is not None and not no_table,
        width=width,
        **chosen,
    )
    return Session(options, partial(_say, width), stop_request).run()


def _say(width: int | None, line: str) -> None:
    """Print a line; on a terminal, wrap it between words."""
    line = escape_unprintable(line, keep="\n")
    click.echo(line if width is None else textwrap.fill(line, width, break_long_words=False))
