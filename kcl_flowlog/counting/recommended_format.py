"""The flow log format that we recommend, and what each of its fields is for.

AWS can't change the format of a flow log afterwards, so this one holds all that
the metrics can tell. The documentation is made from this table.
"""

from __future__ import annotations

from collections.abc import Mapping

COSTS: Mapping[str, str] = {
    "version": "Formats of equal length in one log group are harder to tell apart; more lines are `format_undecided`.",
    "account-id": "Nothing is counted by it; lines and dead letters don't tell people whose interface it was.",
    "interface-id": "The name of the log stream has to tell the interface. Lines without a log stream, as in files,"
    " are `unattributed` unless they have `subnet-id`.",
    "srcaddr": "The peer of ingress is `unknown`, and interfaces that EC2 does not list can't be learned.",
    "dstaddr": "The peer of egress is `unknown`, and interfaces that EC2 does not list can't be learned.",
    "srcport": "`--log-deny` does not show it.",
    "dstport": 'All rejected flows have `port="other"`, and `--log-deny` does not show it.',
    "protocol": "`protocol` is `other`.",
    "packets": "`flowlog_packets_total` stays 0.",
    "bytes": "`flowlog_bytes_total` stays 0.",
    "start": "`--log-deny` does not show it; a flow that ends before it begins does not tell formats apart.",
    "end": "`flowlog_event_delay_seconds` stays empty.",
    "action": "`action` is `unknown`: nothing tells rejected flows, and they have no ports.",
    "log-status": "What AWS has skipped counts as `nodata` instead of `skipdata`.",
    "vpc-id": "Interfaces that EC2 does not list may be in any VPC with these blocks that shares the log group.",
    "subnet-id": "Interfaces that EC2 does not list have to be learned; some of their records are `unattributed`.",
    "az-id": "Nothing yet: zones come from EC2. It tells the zone of a subnet that EC2 does not list.",
    "flow-direction": "Interfaces that EC2 does not list need several peers to be learned; records between two"
    " addresses of one interface have direction `unknown`.",
    "traffic-path": "The label `path` is `unknown`.",
    "pkt-srcaddr": "The peer of ingress through a NAT gateway or load balancer is that device.",
    "pkt-dstaddr": "The peer of egress through a NAT gateway or load balancer is that device.",
    "pkt-src-aws-service": "Traffic from S3, DynamoDB and other services of AWS has the peer `internet`.",
    "pkt-dst-aws-service": "Traffic to S3, DynamoDB and other services of AWS has the peer `internet`.",
    "reject-reason": "`--log-deny` does not tell what VPC Block Public Access has rejected.",
}
"""The fields, and what a format without each of them costs."""

RECOMMENDED_FORMAT = " ".join(f"${{{name}}}" for name in COSTS)
