"""The time in seconds that an instance with the default settings may take to stop."""

from __future__ import annotations

from kcl_flowlog.config import settings
from kcl_flowlog.values import parse_duration


def stop_time() -> float:
    """Return the grace of processors, the final scrape, and 15 s for all else, as docs/operating.md says."""
    return 15 + sum(
        parse_duration(str(settings()[name].default)) for name in ("shutdown_grace", "final_scrape_timeout")
    )
