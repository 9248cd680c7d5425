"""The files that the daemon and its processors read at their start: processor settings, KCL properties, logback.

Written into the state directory before each start of the daemon, so a restart never meets the files of an older
version. A disk that refuses is an `OSError`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import resources

import msgspec

from kcl_flowlog.commits.processor_settings import ProcessorSettings
from kcl_flowlog.config import Config
from kcl_flowlog.launcher import daemon, kcl_properties
from kcl_flowlog.launcher.state_directory import StateDirectory

_RETRIEVAL_MODES = {"polling": "POLLING", "fan-out": "FANOUT"}


class DaemonFiles:
    """Writes the files of one instance."""

    def __init__(
        self,
        config: Config,
        state: StateDirectory,
        region: str,
        python: str = sys.executable,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._state = state
        self._region = region
        self._python = python
        self._clock = clock

    def write(self, generation: int) -> None:
        """Write all files, for processors of this generation. Raises `OSError`."""
        state = self._state
        state.write(state.processor_settings, msgspec.json.encode(self._processor_settings(generation)))
        state.write(state.properties, self._properties().encode("ascii"))
        state.write(state.logback, _shipped("logback.xml").encode())

    def _processor_settings(self, generation: int) -> ProcessorSettings:
        config, state = self._config, self._state
        return ProcessorSettings(
            generation=generation,
            ledger=str(state.ledger),
            inventory=str(state.inventory),
            attempts=str(state.attempts),
            messages=str(state.messages_socket()),
            flow_log_formats=config.flow_log_format,
            deduplicate=config.deduplicate,
            watched_ports=tuple(sorted(config.watched_ports)),
            payload_limit=config.payload_limit,
            checkpoint_interval=config.checkpoint_interval,
            log_deny=config.log_deny,
            max_subnets=config.max_subnets,
            max_unlisted_subnets=config.max_unlisted_subnets,
        )

    def _properties(self) -> str:
        config = self._config
        holes = {
            "application": config.application,
            "stream": config.stream,
            "region": self._region,
            "executable": daemon.executable(self._python),
            "worker_id": self._state.worker_id(),
            "retrieval": _RETRIEVAL_MODES[config.retrieval],
            "shutdown_grace": str(int(config.shutdown_grace * 1000)),
            "kcl_metrics": config.kcl_metrics.upper(),
            "initial_position": self._initial_position(),
        }
        return kcl_properties.render(_shipped("kcl.properties"), holes, config.kcl_property)

    def _initial_position(self) -> str:
        position = self._config.initial_position
        if position == "trim-horizon":
            return "initialPositionInStream = TRIM_HORIZON"
        # Not LATEST: a shard that gets its lease late would lose what arrived before.
        seconds = self._state.first_start(self._clock()) if position == "now" else int(position.timestamp())
        return f"initialPositionInStreamExtended = {seconds}"


def _shipped(name: str) -> str:
    return (resources.files("kcl_flowlog") / "properties" / name).read_text(encoding="utf-8")
