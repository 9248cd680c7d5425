"""One subnet: who it is, what it sends and receives, and what it rejects."""

from __future__ import annotations

from ops.dashboards import variables
from ops.dashboards.model import WIDE, Column, Dashboard, Panel, Query, stat
from ops.dashboards.queries import ACCEPTED, EGRESS, INGRESS, REJECTED, increase, rate, selector, sums_by, total
from ops.values import Values

_THIS = 'subnet_id="$subnet"'
_SENT = rate("flowlog_bytes_total", _THIS, ACCEPTED, EGRESS)
_RECEIVED = rate("flowlog_bytes_total", _THIS, ACCEPTED, INGRESS)
_FLOWS = rate("flowlog_flows_total", _THIS)
_REJECTS = rate("flowlog_flows_total", _THIS, REJECTED)
_PORTS = "flowlog_rejected_port_flows_total"
_WATCHED = 'port!="other"'
_ABOUT = ("name", "cidr", "ipv6_cidr", "vpc_id", "vpc_name", "availability_zone_id", "region", "account_id")
_PEER_NOTE = "Needs `peer` in --traffic-labels."

_WHO = (
    Panel(
        "The subnet",
        "What EC2 says about the subnet. Empty if the inventory lacks it. The tag needs --subnet-tags.",
        "none",
        (
            Query(f"max by (subnet_id, {', '.join(_ABOUT)}) ({selector('flowlog_subnet_info', _THIS)})"),
            Query(f"max by (subnet_id, $tag) ({selector('flowlog_subnet_tags', _THIS)})"),
        ),
        "table",
        WIDE,
        columns=(
            Column("subnet_id", "Subnet"),
            Column("name", "Name"),
            Column("cidr", "CIDR"),
            Column("ipv6_cidr", "IPv6 CIDR"),
            Column("vpc_name", "VPC"),
            Column("vpc_id", "VPC id"),
            Column("availability_zone_id", "Zone"),
            Column("region", "Region"),
            Column("account_id", "Account"),
        ),
    ),
)

_NOW = (
    stat("Sent", "Accepted bytes that the subnet's interfaces sent.", "Bps", total(_SENT)),
    stat("Received", "Accepted bytes that the subnet's interfaces received.", "Bps", total(_RECEIVED)),
    stat(
        "Rejected flows",
        "Flows of the subnet's interfaces that a security group or ACL rejected.",
        "cps",
        total(_REJECTS),
        "FlowlogRejectedFlows",
    ),
    stat(
        "Share of rejected flows",
        "Rejected flows as a part of all flows of the subnet.",
        "percentunit",
        f"{total(_REJECTS)} / {total(_FLOWS)}",
        "FlowlogRejectedFlows",
    ),
)

_TRAFFIC = (
    Panel(
        "Sent, by the other end",
        f"Accepted bytes that the subnet sent, by the class of the other end. {_PEER_NOTE}",
        "Bps",
        (sums_by(_SENT, "peer"),),
        alerts=("FlowlogInternetBytes", "FlowlogCrossZoneBytes", "FlowlogCrossRegionBytes"),
        is_stacked=True,
    ),
    Panel(
        "Received, by the other end",
        f"Accepted bytes that the subnet received, by the class of the other end. {_PEER_NOTE}",
        "Bps",
        (sums_by(_RECEIVED, "peer"),),
        is_stacked=True,
    ),
    Panel(
        "Flows by action",
        "Records of flows by action and direction.",
        "cps",
        (sums_by(_FLOWS, "action", "direction"),),
        is_stacked=True,
    ),
    Panel(
        "Packets by protocol",
        "Packets in accepted flows, by protocol and direction. Needs `protocol` in --traffic-labels.",
        "pps",
        (sums_by(rate("flowlog_packets_total", _THIS, ACCEPTED), "protocol", "direction"),),
        is_stacked=True,
    ),
)

_REJECTED = (
    Panel(
        "Rejected, by the other end",
        "Rejected flows by direction and class of the other end. From `internet` it is mostly noise; what the subnet"
        " itself sends, or what comes from inside, is worth a look.",
        "cps",
        (sums_by(_REJECTS, "direction", "peer"),),
        alerts=("FlowlogRejectedFlows", "FlowlogRejectedFromInside"),
    ),
    Panel(
        "Rejected, by port",
        "Rejected flows by destination port; ports that --watched-ports does not name are `other`.",
        "cps",
        (Query(total(rate(_PORTS, _THIS), "port", "direction"), "port {{port}} {{direction}}"),),
        alerts=("FlowlogPortNewlyRejected",),
    ),
    Panel(
        "Most rejected ports",
        "Rejected flows to each watched port in the time that the dashboard shows.",
        "short",
        (
            Query(
                f"topk(15, {total(increase(_PORTS, _THIS, _WATCHED), 'port', 'protocol')})",
                "{{protocol}} {{port}}",
            ),
        ),
        "bargauge",
        alerts=("FlowlogPortNewlyRejected",),
    ),
    Panel(
        "Rejected, by protocol",
        "Rejected flows by protocol and direction. Needs `protocol` in --traffic-labels.",
        "cps",
        (sums_by(_REJECTS, "protocol", "direction"),),
    ),
    Panel(
        "Distinct rejected sources and ports",
        "About how many sources and ports the rejected flows of the last hour had, at the instance with the most: an"
        " instance knows its shards, and two may know the same source. /who tells which they are. Empty with --no-who.",
        "short",
        (
            Query(f"max({selector('flowlog_rejected_distinct_sources', _THIS)})", "sources"),
            Query(f"max({selector('flowlog_rejected_distinct_ports', _THIS)})", "ports"),
        ),
        width=WIDE,
        alerts=("FlowlogPortScan", "FlowlogManySources"),
    ),
)

_WAYS = (
    Panel(
        "Sent, by way",
        "Accepted bytes that the subnet sent, by the way that they took. Needs `path` in --traffic-labels.",
        "Bps",
        (sums_by(rate("flowlog_bytes_total", _THIS, ACCEPTED, EGRESS, 'path!=""'), "path"),),
        is_stacked=True,
    ),
    Panel(
        "Sent and received, by type of interface",
        "Accepted bytes by the type of the interface that recorded them, and direction. Needs `interface_type` in"
        " --traffic-labels.",
        "Bps",
        (sums_by(rate("flowlog_bytes_total", _THIS, ACCEPTED, 'interface_type!=""'), "interface_type", "direction"),),
        alerts=("FlowlogNatGatewayBytes",),
        is_stacked=True,
    ),
)


def subnet(values: Values) -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        "kcl-flowlog-subnet",
        "kcl-flowlog / Subnet",
        "VPC Flow Logs: the traffic of one subnet.",
        values.dashboards.step,
        (variables.JOB, variables.VPC, variables.SUBNET, variables.tag(values)),
        {
            "Who": _WHO,
            "Now": _NOW,
            "Traffic": _TRAFFIC,
            "Rejected": _REJECTED,
            "Ways and interfaces": _WAYS,
        },
    )
