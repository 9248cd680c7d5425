"""The overview: the traffic of a fleet by VPC, kind, tag and subnet, and what is wrong with it."""

from __future__ import annotations

from functools import partial

from ops.dashboards import variables
from ops.dashboards.model import (
    EIGHTH,
    HALF,
    QUARTER,
    THIRD,
    WIDE,
    Column,
    Dashboard,
    Limits,
    Panel,
    Query,
    stat,
)
from ops.dashboards.queries import (
    ACCEPTED,
    EGRESS,
    INGRESS,
    OF_VPC,
    REJECTED,
    by_subnet,
    by_tag,
    by_vpc,
    in_vpc,
    largest,
    outside_inventory,
    rate,
    selector,
    subnets,
    sums_by,
    tags,
    total,
)
from ops.values import Values

_SENT = rate("flowlog_bytes_total", ACCEPTED, EGRESS)
_RECEIVED = rate("flowlog_bytes_total", ACCEPTED, INGRESS)
_TO_INTERNET = rate("flowlog_bytes_total", ACCEPTED, EGRESS, 'peer="internet"')
_REJECTS = rate("flowlog_flows_total", REJECTED)
_FLOWS = rate("flowlog_flows_total")

_REJECT_ALERTS = ("FlowlogRejectedFlows", "FlowlogRejectedFromInside")
_SUBNET = "{{name}} {{subnet_id}} {{direction}}"
SUBNET_LINK = (
    "/d/kcl-flowlog-subnet?var-datasource=${datasource}&var-job=${job}&var-subnet=${__value.raw}&${__url_time_range}"
)
_FIRING = 'ALERTS{alertname=~"Flowlog.+",alertstate="firing",job="$job"}'


def _vpcs(series: str) -> tuple[Query, ...]:
    return (
        Query(by_vpc(series), "{{vpc_name}} {{vpc_id}}"),
        Query(outside_inventory(series), "not in the inventory"),
    )


_stat = partial(stat, width=EIGHTH)
_NOW = (
    _stat(
        "Sent",
        "Accepted bytes that interfaces sent. A byte that passes a NAT gateway counts there, too.",
        "Bps",
        total(in_vpc(_SENT)),
    ),
    _stat(
        "Received",
        "Accepted bytes that interfaces received. A byte that passes a NAT gateway counts there, too.",
        "Bps",
        total(in_vpc(_RECEIVED)),
    ),
    _stat(
        "To the internet",
        "Accepted bytes to public addresses that are no AWS service. A NAT gateway records what others send through it"
        " as well; the cost dashboard leaves that out.",
        "Bps",
        total(in_vpc(_TO_INTERNET)),
    ),
    _stat("Flow records", "Records of flows, accepted and rejected.", "cps", total(in_vpc(_FLOWS))),
    _stat("Rejected flows", "Records of flows that a security group or ACL rejected.", "cps", total(in_vpc(_REJECTS))),
    _stat(
        "Subnets with traffic",
        "Subnets that have series of traffic. All that is beyond --max-subnets counts as the subnet `other`.",
        "none",
        f"count({total(in_vpc(selector('flowlog_flows_total')), 'subnet_id')})",
    ),
    _stat(
        "Behind",
        "The time by which reading is behind, in the slowest shard: all numbers here are this old, at least.",
        "s",
        largest(selector("flowlog_shard_lag_seconds")),
        "FlowlogLag",
        limits=Limits("FlowlogLag", "seconds"),
    ),
    _stat(
        "Alerts that fire",
        "Alerts of ops/prometheus/rules.yml that fire now; the table at the end names them. 0 without these rules.",
        "none",
        f"count({_FIRING}) or vector(0)",
        limits=Limits(number=1),
    ),
)

_BY_VPC = (
    Panel(
        "Sent by VPC",
        "Accepted bytes that the subnets of each VPC sent.",
        "Bps",
        _vpcs(_SENT),
        width=THIRD,
        is_stacked=True,
    ),
    Panel(
        "Received by VPC",
        "Accepted bytes that the subnets of each VPC received.",
        "Bps",
        _vpcs(_RECEIVED),
        width=THIRD,
        is_stacked=True,
    ),
    Panel(
        "Rejected flows by VPC",
        "Rejected flows that the subnets of each VPC recorded, in either direction.",
        "cps",
        _vpcs(_REJECTS),
        width=THIRD,
        alerts=_REJECT_ALERTS,
    ),
)

_KINDS = (
    Panel(
        "Sent, by the other end",
        "Accepted bytes that interfaces sent, by the class of the other end. Needs `peer` in --traffic-labels.",
        "Bps",
        (sums_by(in_vpc(_SENT), "peer"),),
        width=QUARTER,
        alerts=("FlowlogInternetBytes", "FlowlogCrossZoneBytes", "FlowlogCrossRegionBytes"),
        is_stacked=True,
    ),
    Panel(
        "Flows by action",
        "Records of flows by action and direction. `unknown` means that the flow log lacks the field.",
        "cps",
        (sums_by(in_vpc(_FLOWS), "action", "direction"),),
        width=QUARTER,
        is_stacked=True,
    ),
    Panel(
        "Flows by protocol",
        "Records of flows by protocol. Needs `protocol` in --traffic-labels.",
        "cps",
        (sums_by(in_vpc(_FLOWS), "protocol"),),
        width=QUARTER,
        is_stacked=True,
    ),
    Panel(
        "Rejected, by the other end",
        "Rejected flows by direction and class of the other end: `internet` is mostly noise, everything else is worth"
        " a look.",
        "cps",
        (sums_by(in_vpc(_REJECTS), "direction", "peer"),),
        width=QUARTER,
        alerts=_REJECT_ALERTS,
    ),
)

_TAG_NOTE = "Needs --subnet-tags. An empty name stands for subnets without the tag."
_BY_TAG = (
    Panel(
        "Sent by $tag",
        f"Accepted bytes that interfaces sent, by the chosen tag of the subnet. {_TAG_NOTE}",
        "Bps",
        (Query(by_tag(_SENT), "{{$tag}}"),),
        is_stacked=True,
    ),
    Panel(
        "Rejected flows by $tag",
        f"Rejected flows by the chosen tag of the subnet that recorded them. {_TAG_NOTE}",
        "cps",
        (Query(by_tag(_REJECTS), "{{$tag}}"),),
        alerts=_REJECT_ALERTS,
    ),
)

_SUBNETS = (
    Panel(
        "Most rejected flows",
        "The ten subnets and directions with the most rejected flows at each moment.",
        "cps",
        (Query(f"topk(10, {by_subnet(in_vpc(_REJECTS), 'direction')})", _SUBNET),),
        width=HALF,
        alerts=("FlowlogRejectedFlows",),
    ),
    Panel(
        "Rejected flows to watched ports",
        "Rejected flows by destination port, of those that --watched-ports names.",
        "cps",
        (Query(total(in_vpc(rate("flowlog_rejected_port_flows_total", 'port!="other"')), "port"), "port {{port}}"),),
        width=HALF,
        alerts=("FlowlogPortNewlyRejected",),
    ),
    Panel(
        "Subnets",
        "Each subnet with what it sends, receives and rejects now. A click on the id opens the subnet's dashboard. The"
        " tag needs --subnet-tags.",
        "Bps",
        (
            Query(total(in_vpc(_SENT), "subnet_id")),
            Query(total(in_vpc(_RECEIVED), "subnet_id")),
            Query(total(in_vpc(_TO_INTERNET), "subnet_id")),
            Query(total(in_vpc(_REJECTS), "subnet_id")),
            Query(subnets("name", "vpc_id", "vpc_name", "availability_zone_id", "cidr", matchers=(OF_VPC,))),
            Query(f"{tags()} and on (subnet_id) {subnets(matchers=(OF_VPC,))}"),
        ),
        "table",
        WIDE,
        columns=(
            Column("subnet_id", "Subnet", link=SUBNET_LINK),
            Column("name", "Name"),
            Column("vpc_name", "VPC"),
            Column("vpc_id", "VPC id"),
            Column("availability_zone_id", "Zone"),
            Column("cidr", "CIDR"),
            Column("Value #A", "Sent", "Bps"),
            Column("Value #B", "Received", "Bps"),
            Column("Value #C", "To the internet", "Bps"),
            Column("Value #D", "Rejected flows", "cps"),
        ),
    ),
)


def overview(values: Values) -> Dashboard:
    """Return the dashboard."""
    alerts = Panel(
        "Firing alerts",
        "The alerts of ops/prometheus/rules.yml that fire now. A click on a name opens the runbooks. Empty without"
        " these rules.",
        "none",
        (Query(f"max by (alertname, severity, subnet_id, instance, shard_id, port) ({_FIRING})"),),
        "table",
        WIDE,
        columns=(
            Column("alertname", "Alert", link=values.runbooks),
            Column("severity", "Severity"),
            Column("subnet_id", "Subnet", link=SUBNET_LINK),
            Column("instance", "Instance"),
            Column("shard_id", "Shard"),
            Column("port", "Port"),
        ),
    )
    return Dashboard(
        "kcl-flowlog-overview",
        "kcl-flowlog / Overview",
        "VPC Flow Logs: the traffic of all subnets.",
        values.dashboards.step,
        (variables.JOB, variables.VPC, variables.tag(values)),
        {
            "Now": _NOW,
            "VPCs": _BY_VPC,
            "Kinds of traffic": _KINDS,
            "Teams": _BY_TAG,
            "Subnets": _SUBNETS,
            "Alerts": (alerts,),
        },
    )
