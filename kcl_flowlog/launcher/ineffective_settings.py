"""Warnings about settings that have no effect, although they are valid. Changes nothing, and never fails."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from kcl_flowlog.config import Config
from kcl_flowlog.counting.fields import nearest_field
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.launcher.application import position_text

log = logging.getLogger(__name__)


def warn_of_ineffective_settings(config: Config, formats: Iterable[LineFormat], position: str) -> None:
    """Warn of what of the settings has no effect. `position` is where the application has begun."""
    for format_ in formats:
        for name in format_.unknown_fields:
            log.warning(
                "--flow-log-format names a field that this version does not know and ignores",
                extra={"fields": {"field": name, "nearest": nearest_field(name)}},
            )
    if config.peers and not config.who:
        log.warning("--peers has no effect with --no-who")
    if config.initial_position != "now" and position_text(config.initial_position) != position:
        log.warning(
            "--initial-position is ignored, because the application has begun elsewhere",
            extra={"fields": {"application": config.application, "began": position}},
        )
