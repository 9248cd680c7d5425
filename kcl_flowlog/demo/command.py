"""The command `kcl-flowlog demo`.

Only words and options; the work is in `session`. It imports the libraries of
the extra `demo` when it runs, so the command line works without them.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import click

from kcl_flowlog.demo.asked import Asked
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.values import parse_duration

_PACKAGES = ("boto3", "h2", "hypercorn", "moto", "rich")


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Return a time such as 90s or 3m in seconds."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", ctx, param) from error


@click.command()
@click.option(
    "--duration",
    callback=_seconds,
    metavar="TIME",
    help="How long to send traffic, counted from the start. Default: until Ctrl-C.",
)
@click.option(
    "--no-table",
    is_flag=True,
    help="Print a plain line every 5 s in place of the table. So it is anyway where stdout is no terminal.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    metavar="N",
    help="Flow records to send a second.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Seed of the made-up traffic.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=10514,
    show_default=True,
    metavar="PORT",
    help="Port of the metrics page; 0 for any free one.",
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Empty directory for the ledger and the log, kept afterwards. Default: a temporary one, removed at the end.",
)
@click.option(
    "--deny",
    multiple=True,
    type=click.Choice(("DescribeNetworkInterfaces", "DescribeFlowLogs")),
    help="Take a permission of EC2 away, to see that the figures stay equal; may be repeated.",
)
def demo(
    duration: float | None,
    no_table: bool,
    rate: float,
    seed: int,
    port: int,
    state_dir: Path | None,
    deny: tuple[str, ...],
) -> None:
    """Run everything on this machine, without an AWS account, and check that each record is counted once.

    An embedded AWS, two VPCs with the same addresses, made-up traffic, the
    real KCL daemon (which needs a Java) and the metrics page. At the end what
    was generated is compared with what was counted: exit status 0 if they are
    equal to the last digit, else 1.
    """
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES):
        raise ConfigError("The demo needs more packages: pip install 'kcl-flowlog[demo]'.")
    from kcl_flowlog.demo.session import Options, Session

    options = Options(
        duration=duration,
        table=not no_table and sys.stdout.isatty(),
        rate=rate,
        seed=seed,
        port=port,
        state_dir=state_dir,
        deny=deny,
    )
    asked = Asked()
    give_back = asked.listen()
    try:
        status = Session(options, click.echo, asked).run()
    finally:
        give_back()
    sys.exit(status)
