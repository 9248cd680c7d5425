"""The command `kcl-flowlog inventory`: writes the file that `replay --inventory` reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from kcl_flowlog import logs
from kcl_flowlog.config import Config
from kcl_flowlog.counting import subnets
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.options import SettingsCommand, some_settings, warn_of_unknown_variables
from kcl_flowlog.replay import current_inventory

_STDOUT = Path("-")


@click.command(cls=SettingsCommand)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default=_STDOUT,
    show_default=True,
    help="File to write; - is standard output.",
)
@some_settings("region", "inventory_role", "inventory_region", "log_level", "log_format")
def inventory(output: Path, **values: Any) -> None:
    """Write subnets, network interfaces and flow logs, as EC2 describes them now, to a file.

    `kcl-flowlog replay --inventory FILE` reads it, also where there are no credentials.

    \b
    Examples:
      kcl-flowlog inventory --region eu-central-1 --output inventory.json
      kcl-flowlog inventory --region eu-central-1 | jq .subnets
    """
    config = Config(stream="none", **values)
    logs.configure(config.log_level, config.log_format)
    warn_of_unknown_variables(os.environ)
    found = current_inventory.read(current_inventory.readers(config, os.environ), "")
    data = msgspec.json.format(subnets.dump(found), indent=2) + b"\n"
    if output == _STDOUT:
        sys.stdout.buffer.write(data)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"--output: {output} can't be written: {error.strerror}.") from error
