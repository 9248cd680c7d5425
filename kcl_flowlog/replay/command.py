"""The command `kcl-flowlog replay`: its options, its help, and the order of its steps."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from kcl_flowlog import logs
from kcl_flowlog.config import Config
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.formats import parse_option
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.subnet_bounds import SubnetBounds
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.errors import ConfigError, NothingRead
from kcl_flowlog.options import SettingsCommand, some_settings, warn_of_unknown_variables
from kcl_flowlog.replay import current_inventory, inputs, saved_inventory
from kcl_flowlog.replay.content import Metered
from kcl_flowlog.replay.counter import ItemCounter
from kcl_flowlog.replay.files import FileCounts, Files, Finding
from kcl_flowlog.replay.findings import SHOWABLE, dead_letter_file, parse_outcomes, shows
from kcl_flowlog.replay.items import Unreadable
from kcl_flowlog.replay.progress import progress
from kcl_flowlog.replay.report import FORMS

log = logging.getLogger(__name__)

# A sentence names no more files.
_MOST_NAMES = 10


@click.command(cls=SettingsCommand)
@click.argument(
    "files", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--inventory",
    "inventory_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Inventory that `kcl-flowlog inventory` has written, or the inventory.json of a state directory. Default:"
    " read subnets, interfaces and flow logs from EC2.",
)
@click.option(
    "--no-inventory",
    is_flag=True,
    help="Ask no EC2, and know no subnet: only records with a subnet-id count for a subnet.",
)
@click.option(
    "--output", type=click.Choice(tuple(FORMS)), default="table", show_default=True, help="Format of the result."
)
@click.option(
    "--show",
    default="",
    metavar="OUTCOME,...",
    help=f"Print each line with one of these outcomes to stderr, with its file, number and reason:"
    f" {', '.join(SHOWABLE)}.",
)
@click.option(
    "--dead-letters",
    "letters_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the malformed payloads and lines to a file that `replay` can read again.",
)
@click.option(
    "--no-progress", is_flag=True, help="Hide the progress. Without a terminal on stderr it is hidden anyway."
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
def replay(
    files: tuple[str, ...],
    inventory_file: Path | None,
    no_inventory: bool,
    output: str,
    show: str,
    letters_file: Path | None,
    no_progress: bool,
    **values: Any,
) -> None:
    """Count flow logs in files as `run` counts them from a stream. Changes nothing.

    A FILE holds dead letters, lines of flow logs (with or without a header line), CloudWatch Logs envelopes, events
    of Lambda, Parquet, or what `aws logs tail`, `aws logs filter-log-events` or `aws kinesis get-records` print,
    compressed with gzip or not; - is standard input. The content decides, not the name.

    The exit code is 1 if nothing could be read of a file.

    \b
    Examples:
      kcl-flowlog replay --inventory /var/lib/kcl-flowlog/inventory.json /var/lib/kcl-flowlog/dead-letters.jsonl
      kcl-flowlog replay --region eu-central-1 --output json 123456789012_vpcflowlogs_*.log.gz
      aws logs tail /vpc/flow-logs | kcl-flowlog replay --region eu-central-1 --show malformed,unattributed -
    """
    # It is long because click wants each option as an argument, and shows the text above as the help.
    # A replay reads no stream. All other settings are checked as for `run`.
    config = Config(stream="none", **values)
    logs.configure(config.log_level, config.log_format)
    warn_of_unknown_variables(os.environ)
    for text in config.flow_log_format:
        parse_option(text)
    wanted = parse_outcomes(show)
    inventory = _inventory(inventory_file, no_inventory, config, os.environ)
    shows_progress = sys.stderr.isatty() and not no_progress and not wanted
    with dead_letter_file(letters_file, files) as keep, progress(files, shows_progress) as advance:
        show_finding = shows(wanted, lambda line: click.echo(line, err=True))
        counter = _counter(config, inventory, lambda finding: (show_finding(finding), keep(finding)))
        for name in files:
            count_file(name, counter, advance)
        counter.finish()
    bounds = SubnetBounds(config.max_subnets, config.max_unlisted_subnets)
    click.echo(FORMS[output](counter.delta, counter.files, inventory, config.traffic_labels, bounds))
    _judge(counter.files)


def _inventory(file: Path | None, is_empty: bool, config: Config, environ: Mapping[str, str]) -> Inventory:
    if file is not None and is_empty:
        raise ConfigError("--inventory and --no-inventory exclude each other; leave one out.")
    if is_empty:
        return Inventory()
    if file is not None:
        return saved_inventory.load(file)
    advice = ", or give a saved inventory with --inventory FILE, or count without any with --no-inventory"
    return current_inventory.read(current_inventory.readers(config, environ), advice)


def _counter(config: Config, inventory: Inventory, on_finding: Callable[[Finding], object]) -> ItemCounter:
    return ItemCounter(
        Attributor(Index(inventory, covers_unnamed=True)),
        config.flow_log_format,
        config.watched_ports,
        config.payload_limit,
        config.deduplicate,
        config.log_group,
        Files(on_finding),
    )


def count_file(name: str, counter: ItemCounter, advance: Callable[[int], object]) -> None:
    """Count a file; `advance` learns how many of its bytes were read."""
    _ = counter.files[name]  # so that a file without anything has a row
    try:
        with click.open_file(name, "rb") as file:
            for item in inputs.read_items(Metered(file, advance), name):
                counter.count(item, name)
    except OSError as error:
        log.warning("Cannot read the file", extra={"fields": {"file": name, "error": error.strerror or str(error)}})
        counter.count(Unreadable("payload", "payload_damaged"), name)


def _judge(files: Mapping[str, FileCounts]) -> None:
    """Warn of empty files. Raises `NothingRead` if nothing could be read of a file."""
    for name, of_file in files.items():
        if of_file.is_empty:
            log.warning("The file holds nothing to count", extra={"fields": {"file": name}})
    unread = [f"{name} ({_reasons(of_file)})" for name, of_file in files.items() if of_file.is_unread]
    if unread:
        named = _listed(unread)
        raise NothingRead(f"Nothing could be read of {named}; --show malformed prints the lines.")


def _reasons(of_file: FileCounts) -> str:
    return ", ".join(f"{reason} {number}" for reason, number in of_file.malformed.most_common())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more files" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
