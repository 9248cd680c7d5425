"""The files that the daemon and its processors read at their start: processor settings, KCL properties, logback, and
options of Java.

Written into the state directory before each start of the daemon, so a restart never meets the files of an older
version. A disk that refuses is an `OSError`.
"""

from __future__ import annotations

import sys
from importlib import resources

import msgspec

from kcl_flowlog.commits.processor_settings import ProcessorSettings
from kcl_flowlog.config import Config
from kcl_flowlog.inventory.stream import Stream
from kcl_flowlog.inventory.sts import ROLE_SESSION_NAME
from kcl_flowlog.launcher import daemon, kcl_properties
from kcl_flowlog.launcher.application import TRIM_HORIZON
from kcl_flowlog.launcher.credentials_endpoint import CREDENTIAL_VARIABLES, PROVIDER
from kcl_flowlog.launcher.java_way_out import JavaWayOut
from kcl_flowlog.launcher.state_directory import StateDirectory

_RETRIEVAL_MODES = {"polling": "POLLING", "fan-out": "FANOUT"}


class DaemonFiles:
    """Writes the files of one instance; `initial_position` is that of the application record."""

    def __init__(
        self,
        config: Config,
        state: StateDirectory,
        stream: Stream,
        region: str,
        initial_position: str,
        way_out: JavaWayOut,
        python: str = sys.executable,
    ) -> None:
        self._config = config
        self._state = state
        self._stream = stream
        self._region = region
        self._initial_position = initial_position
        self._way_out = way_out
        self._python = python

    def write(self, generation: int) -> None:
        """Write all files, for processors of this generation. Raises `OSError`."""
        state = self._state
        state.write(state.processor_settings, msgspec.json.encode(self._processor_settings(generation)))
        state.write(state.properties, self._properties().encode("ascii"))
        state.write(state.logback, _shipped("logback.xml").encode())
        self._way_out.write(state.write)

    def _processor_settings(self, generation: int) -> ProcessorSettings:
        config, state = self._config, self._state
        return ProcessorSettings(
            generation=generation,
            ledger=str(state.ledger),
            inventory=str(state.packed_inventory),
            attempts=str(state.attempts),
            messages=str(state.messages_socket()),
            flow_log_formats=config.flow_log_format,
            log_groups=config.log_group,
            deduplicate=config.deduplicate,
            watched_ports=tuple(sorted(config.watched_ports)),
            payload_limit=config.payload_limit,
            checkpoint_interval=config.checkpoint_interval,
            log_deny=config.log_deny,
            log_deny_rate=config.log_deny_rate,
            log_deny_burst=config.log_deny_burst,
            max_subnets=config.max_subnets,
            max_unlisted_subnets=config.max_unlisted_subnets,
            who=config.who,
        )

    def _properties(self) -> str:
        config = self._config
        holes = {
            "application": config.application,
            "stream": self._stream.name,
            "stream_credentials": self._stream_credentials(),
            "region": self._region,
            "executable": daemon.executable(self._python, unset=CREDENTIAL_VARIABLES),
            "credentials": PROVIDER,
            "worker_id": self._state.worker_id(),
            "retrieval": _RETRIEVAL_MODES[config.retrieval],
            "shutdown_grace": str(int(config.shutdown_grace * 1000)),
            "kcl_metrics": config.kcl_metrics.upper(),
            "initial_position": self._initial_position_line(),
        }
        return kcl_properties.render(_shipped("kcl.properties"), holes, config.kcl_property)

    def _stream_credentials(self) -> str:
        role = self._stream.role
        return f"StsAssumeRoleCredentialsProvider|{role}|{ROLE_SESSION_NAME}" if role else PROVIDER

    def _initial_position_line(self) -> str:
        if self._initial_position == TRIM_HORIZON:
            return "initialPositionInStream = TRIM_HORIZON"
        # Not LATEST: a shard that gets its lease late would lose what arrived before.
        return f"initialPositionInStreamExtended = {self._initial_position}"


def _shipped(name: str) -> str:
    return (resources.files("kcl_flowlog") / "properties" / name).read_text(encoding="utf-8")
