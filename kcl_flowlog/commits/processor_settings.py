"""What the launcher tells each processor at its start: a JSON file, named by an environment variable."""

from __future__ import annotations

import msgspec

PROCESSOR_SETTINGS_VARIABLE = "KCL_FLOWLOG_PROCESSOR_SETTINGS"
"""The environment variable that names the file."""

PROCESSOR_KEY_VARIABLE = "KCL_FLOWLOG_PROCESSOR_KEY"
"""The environment variable with the key of the state directory, by which its launcher knows its own processors."""


class ProcessorSettings(msgspec.Struct, frozen=True):
    """The settings of a processor: paths, sizes in bytes, durations in seconds.

    `generation` is the ledger's generation that this daemon's processors belong to. `log_deny` is the form of denials,
    empty if nobody wants them.
    """

    generation: int
    ledger: str
    inventory: str
    attempts: str
    messages: str
    flow_log_formats: tuple[str, ...]
    log_groups: tuple[str, ...]
    deduplicate: bool
    watched_ports: tuple[str, ...]
    payload_limit: int
    checkpoint_interval: float
    log_deny: str
    log_deny_rate: int
    log_deny_burst: int
    max_subnets: int
    max_unlisted_subnets: int
    who: bool = False
