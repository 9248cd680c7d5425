"""The command `kcl-flowlog replay`: words, options and progress; the work is in the modules beside."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from kcl_flowlog import logs
from kcl_flowlog.config import Config
from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.subnets import Index, Inventory
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory import accounts
from kcl_flowlog.inventory.aws import Aws
from kcl_flowlog.inventory.aws_settings import resolve_region, with_old_names
from kcl_flowlog.inventory.keeper import InventoryKeeper
from kcl_flowlog.options import SettingsCommand, some_settings, warn_of_unknown_variables
from kcl_flowlog.replay import inputs
from kcl_flowlog.replay.books import Books
from kcl_flowlog.replay.report import FORMS

_STDIN = "-"


@click.command(cls=SettingsCommand)
@click.argument(
    "files", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--inventory",
    "inventory_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The inventory.json of a state directory. Default: subnets and interfaces are read from EC2 now.",
)
@click.option(
    "--output", type=click.Choice(tuple(FORMS)), default="table", show_default=True, help="Form of what is counted."
)
@click.option("--no-progress", is_flag=True, help="Show no progress. It is shown only where stderr is a terminal.")
@some_settings(
    "region",
    "flow_log_format",
    "deduplicate",
    "watched_ports",
    "payload_limit",
    "inventory_role",
    "inventory_region",
    "traffic_labels",
    "max_subnets",
    "log_level",
    "log_format",
)
def replay(files: tuple[str, ...], inventory_file: Path | None, output: str, no_progress: bool, **values: Any) -> None:
    """Count flow logs from files, as `run` counts them from a stream; nothing else is changed.

    A FILE holds dead letters, lines of flow logs (with or without a header line), CloudWatch Logs envelopes,
    or Parquet, compressed with gzip or not; - is standard input. What it is, its content tells.

    \b
    Examples:
      kcl-flowlog replay --inventory /var/lib/kcl-flowlog/inventory.json /var/lib/kcl-flowlog/dead-letters.jsonl
      kcl-flowlog replay --region eu-central-1 --output json 123456789012_vpcflowlogs_*.log.gz
    """
    # No stream is read, so none has to be named; all other settings are checked as for `run`.
    config = Config(stream="none", **values)
    logs.configure(config.log_level, config.log_format)
    warn_of_unknown_variables(os.environ)
    inventory = _saved(inventory_file) if inventory_file is not None else _live(config)
    books = Books(
        Attributor(Index(inventory)),
        config.flow_log_format,
        config.watched_ports,
        config.payload_limit,
        config.deduplicate,
    )
    shown = sys.stderr.isatty() and not no_progress
    size = sum(os.path.getsize(name) for name in files if name != _STDIN)
    with click.progressbar(length=size, label="Reading", file=sys.stderr if shown else io.StringIO()) as bar:
        for name in files:
            with click.open_file(name, "rb") as file:
                _count(file, name, books, bar.update)
    books.finish()
    click.echo(FORMS[output](books.delta, inventory, config.traffic_labels, config.max_subnets))


def _saved(path: Path) -> Inventory:
    try:
        return subnets.load(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--inventory: {path} is no inventory as `kcl-flowlog run` saves it: {error}") from error


def _live(config: Config) -> Inventory:
    environ = with_old_names(os.environ)
    aws = Aws(resolve_region(config.region, environ), environ)
    keeper = InventoryKeeper(accounts.source_readers(config, aws), None, lambda _: None, 1.0, 1.0)
    if not keeper.refresh():
        raise ConfigError(
            "Cannot read the subnets from EC2; see the log, or give a saved inventory with --inventory FILE."
        )
    return keeper.current


def _count(file: IO[bytes], name: str, books: Books, advance: Callable[[int], object]) -> None:
    read = 0
    for item in inputs.items(file, name):
        books.take(item)
        # Of a file as it lies on disk, compressed or not.
        position = file.tell() if file.seekable() else 0
        advance(position - read)
        read = position
