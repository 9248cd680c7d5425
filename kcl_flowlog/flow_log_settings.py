"""The settings of flow logs, rejected flows and who sent what: rows of the table in `kcl_flowlog.config`."""

from __future__ import annotations

from dataclasses import dataclass

from kcl_flowlog import values
from kcl_flowlog.peers_settings import PeersSettings
from kcl_flowlog.setting import repeatable, setting
from kcl_flowlog.values import at_least


@dataclass(frozen=True, kw_only=True)
class FlowLogSettings(PeersSettings):
    """Which log events to read and how, which rejected flows to write, and what to keep about who sent what."""

    flow_log_format: tuple[str, ...] = repeatable(
        flag="--flow-log-format",
        group="Flow logs",
        metavar="[GROUP=]FORMAT",
        split=str.splitlines,
        help="Format of the flow log lines as AWS writes it, such as '${version} ${interface-id} …', for all log groups, or with GROUP= for a single log group. Repeatable; each line is read with the format that fits it. Default: the formats that EC2 reports, else the AWS default format.",
    )
    log_group: tuple[str, ...] = repeatable(
        flag="--log-group",
        group="Flow logs",
        parse=values.parse_log_group_pattern,
        metavar="PATTERN",
        help="Count only the log groups that a pattern such as '/vpc/*' matches; '!/vpc/test*' excludes. Repeatable. Events of other log groups count as `ignored`. Default: all log groups.",
    )
    deduplicate: bool = setting(
        flag="--deduplicate",
        group="Flow logs",
        default="on",
        parse=values.parse_switch,
        help="Count a payload once if CloudWatch Logs delivers it again on the same shard.",
    )
    log_deny: str = setting(
        flag="--log-deny",
        group="Flow logs",
        default="off",
        parse=values.parse_denial_form,
        metavar="FORM",
        without_value="on",
        choices=values.DENIAL_FORMS,
        help="Write each rejected flow as one line of JSON to stdout, at least once. `ecs` and `ocsf` follow the schemas of these names; without a form, or `on`, is `json`.",
    )
    log_deny_rate: int = setting(
        flag="--log-deny.rate",
        group="Flow logs",
        default="0",
        parse=values.parse_count,
        metavar="N",
        help="Maximum number of rejected flows that --log-deny writes per second and shard, 0 for no limit. The others are counted, and in flowlog_denials_held_back_total.",
    )
    log_deny_burst: int = setting(
        flag="--log-deny.burst",
        group="Flow logs",
        default="1000",
        parse=at_least("1", values.parse_count),
        metavar="N",
        help="How many rejected flows of a shard --log-deny.rate lets through at once.",
    )
    watched_ports: frozenset[str] = setting(
        flag="--watched-ports",
        group="Flow logs",
        default="22, 23, 25, 53, 80, 123, 135, 139, 389, 443, 445, 1433, 1521, 2375, 3306, 3389, 5432, 5900, 5985, 6379, 8080, 9200, 11211, 27017",
        parse=values.parse_ports,
        metavar="PORT,...",
        help="Destination ports that flowlog_rejected_port_flows_total shows; all others count as `other`.",
    )
    who: bool = setting(
        flag="--who",
        group="Flow logs",
        default="on",
        parse=values.parse_switch,
        help="Keep the addresses and ports with most rejected flows and most bytes of each subnet in the last hour, for /who and two metrics. Off: no address is kept.",
    )
    payload_limit: int = setting(
        flag="--payload-limit",
        group="Flow logs",
        default="64MiB",
        parse=at_least("1KiB", values.parse_size),
        metavar="SIZE",
        help="Maximum size of a decompressed payload. A larger payload counts as malformed.",
    )
