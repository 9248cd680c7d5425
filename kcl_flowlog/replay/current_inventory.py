"""The inventory as EC2 describes it now, read once, without a state directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kcl_flowlog.config import Config
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.accounts import SourceReader, source_readers
from kcl_flowlog.inventory.aws import Aws
from kcl_flowlog.inventory.aws_settings import resolve_region, with_old_names
from kcl_flowlog.inventory.keeper import InventoryKeeper


def readers(config: Config, environ: Mapping[str, str]) -> list[SourceReader]:
    """Return a reader for each account and region of the settings. Raises `ConfigError`."""
    environ = with_old_names(environ)
    return source_readers(config, Aws(resolve_region(config.region, environ), environ))


def read(readers: Sequence[SourceReader], advice: str) -> Inventory:
    """Return the inventory. Raises `ConfigError` with this advice if no account can be read."""
    keeper = InventoryKeeper(readers, None, save=lambda _: None, interval=0.0, ttl=0.0)
    if not keeper.refresh():
        raise ConfigError(f"Cannot read the subnets from EC2; see the log{advice}.")
    return keeper.current
