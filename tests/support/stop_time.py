"""The time in seconds that an instance may take to stop."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kcl_flowlog.config import settings
from kcl_flowlog.values import parse_duration


def stop_time(config: Mapping[str, object] = MappingProxyType({})) -> float:
    """Return the grace of processors, the final scrape, and 15 s for all else, as docs/operating.md says.

    `config` is the content of the file of `--config.file`; what it does not set has its default.
    """
    table = settings()
    waits = (table["shutdown_grace"], table["final_scrape_timeout"])
    return 15 + sum(parse_duration(str(config.get(setting.key, setting.default))) for setting in waits)
