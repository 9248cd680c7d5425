"""The command `kcl-flowlog replay`: its options, its help and its progress bar."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from kcl_flowlog import logs
from kcl_flowlog.config import Config
from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.subnet_bounds import SubnetBounds
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.accounts import SourceReader, source_readers
from kcl_flowlog.inventory.aws import Aws
from kcl_flowlog.inventory.aws_settings import resolve_region, with_old_names
from kcl_flowlog.inventory.keeper import InventoryKeeper
from kcl_flowlog.options import SettingsCommand, some_settings, warn_of_unknown_variables
from kcl_flowlog.replay import inputs
from kcl_flowlog.replay.counter import ItemCounter
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
    help="The inventory.json of a state directory. Default: read subnets and interfaces from EC2.",
)
@click.option(
    "--output", type=click.Choice(tuple(FORMS)), default="table", show_default=True, help="Format of the result."
)
@click.option(
    "--no-progress", is_flag=True, help="Hide the progress bar. Without a terminal on stderr it is hidden anyway."
)
@some_settings(
    "region",
    "flow_log_format",
    "log_group",
    "deduplicate",
    "watched_ports",
    "payload_limit",
    "inventory_role",
    "inventory_region",
    "traffic_labels",
    "max_subnets",
    "max_unlisted_subnets",
    "log_level",
    "log_format",
)
def replay(files: tuple[str, ...], inventory_file: Path | None, output: str, no_progress: bool, **values: Any) -> None:
    """Count flow logs in files as `run` counts them from a stream. Changes nothing.

    A FILE holds dead letters, lines of flow logs (with or without a header line), CloudWatch Logs envelopes,
    or Parquet, each compressed with gzip or not; - is standard input. The content decides, not the name.

    \b
    Examples:
      kcl-flowlog replay --inventory /var/lib/kcl-flowlog/inventory.json /var/lib/kcl-flowlog/dead-letters.jsonl
      kcl-flowlog replay --region eu-central-1 --output json 123456789012_vpcflowlogs_*.log.gz
    """
    # A replay reads no stream. All other settings are checked as for `run`.
    config = Config(stream="none", **values)
    logs.configure(config.log_level, config.log_format)
    warn_of_unknown_variables(os.environ)
    if inventory_file is not None:
        inventory = _saved_inventory(inventory_file)
    else:
        inventory = _current_inventory(_source_readers(config, os.environ))
    counter = ItemCounter(
        Attributor(Index(inventory, covers_unnamed=True)),
        config.flow_log_format,
        config.watched_ports,
        config.payload_limit,
        config.deduplicate,
        config.log_group,
    )
    _count_files(files, counter, shows_progress=sys.stderr.isatty() and not no_progress)
    bounds = SubnetBounds(config.max_subnets, config.max_unlisted_subnets)
    click.echo(FORMS[output](counter.delta, inventory, config.traffic_labels, bounds))


def _saved_inventory(path: Path) -> Inventory:
    try:
        return subnets.load(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--inventory: {path} is not an inventory saved by `kcl-flowlog run`: {error}") from error


def _source_readers(config: Config, environ: Mapping[str, str]) -> list[SourceReader]:
    environ = with_old_names(environ)
    return source_readers(config, Aws(resolve_region(config.region, environ), environ))


def _current_inventory(readers: Sequence[SourceReader]) -> Inventory:
    keeper = InventoryKeeper(readers, None, save=lambda _: None, interval=0.0, ttl=0.0)
    if not keeper.refresh():
        raise ConfigError(
            "Cannot read the subnets from EC2; see the log, or give a saved inventory with --inventory FILE."
        )
    return keeper.current


def _count_files(names: Sequence[str], counter: ItemCounter, shows_progress: bool) -> None:
    size = sum(os.path.getsize(name) for name in names if name != _STDIN)
    with click.progressbar(length=size, label="Reading", file=sys.stderr if shows_progress else io.StringIO()) as bar:
        for name in names:
            with click.open_file(name, "rb") as file:
                _count_file(file, name, counter, bar.update)
    counter.finish()


def _count_file(file: IO[bytes], name: str, counter: ItemCounter, advance: Callable[[int], object]) -> None:
    read = 0
    for item in inputs.read_items(file, name):
        counter.count(item)
        # The position in the file on disk, compressed or not.
        position = file.tell() if file.seekable() else 0
        advance(position - read)
        read = position
