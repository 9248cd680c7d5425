"""A denial as an event of the Elastic Common Schema (ECS), for `--log-deny=ecs`.

Fields of the flow log that ECS has no place for are texts under `aws.vpcflow`, as in Elastic's own integration, by
their own names with `_` for `-`; the class of the peer is `kcl_flowlog.peer`.
"""

from __future__ import annotations

from collections.abc import Mapping

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.processor.denial_facts import Facts
from kcl_flowlog.timestamps import utc_timestamp

ECS_VERSION = "9.4.0"
"""The version of the schema that the events follow."""

_NANOSECONDS = 1_000_000_000
# The records of a batch share a few times.
_TIMES = BoundedCache(utc_timestamp, 1024)


def ecs_event(facts: Facts, now: float) -> Mapping[str, object]:
    """Return the values of an event by the names of their fields, None for a missing value."""
    # long because it is the table of all fields.
    source, destination = facts.source, facts.destination
    happened_at = facts.end or facts.start
    duration = facts.end - facts.start if facts.start and facts.end else -1
    addresses = (source.address, destination.address, source.packet_address, destination.packet_address)
    return {
        "@timestamp": _TIMES[happened_at or now],
        "ecs.version": ECS_VERSION,
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": ["connection", "denied"],
        "event.action": "reject",
        "event.outcome": "failure",
        "event.module": "kcl_flowlog",
        "event.dataset": "kcl_flowlog.denials",
        "event.created": _TIMES[now],
        "event.start": _TIMES[facts.start] if facts.start else None,
        "event.end": _TIMES[facts.end] if facts.end else None,
        "event.duration": duration * _NANOSECONDS if duration >= 0 else None,
        "event.reason": facts.reject_reason,
        "source.ip": source.address,
        "source.port": source.port,
        "source.packets": facts.packets,
        "source.bytes": facts.bytes,
        "destination.ip": destination.address,
        "destination.port": destination.port,
        "network.type": f"ipv{facts.ip_version}" if facts.ip_version else None,
        "network.transport": facts.transport,
        "network.iana_number": str(facts.protocol_number) if facts.protocol_number is not None else None,
        "network.direction": facts.direction,
        "network.packets": facts.packets,
        "network.bytes": facts.bytes,
        "related.ip": list(dict.fromkeys(filter(None, addresses))) or None,
        "cloud.provider": "aws",
        "cloud.account.id": facts.account_id,
        "cloud.region": facts.region,
        "cloud.availability_zone": facts.zone_id,
        "cloud.instance.id": facts.instance_id,
        "observer.ingress.interface.id": facts.interface_id if facts.direction == "ingress" else None,
        "observer.egress.interface.id": facts.interface_id if facts.direction == "egress" else None,
        "kcl_flowlog.peer": facts.peer,
        "aws.vpcflow.version": facts.version,
        "aws.vpcflow.interface_id": facts.interface_id,
        "aws.vpcflow.subnet_id": facts.subnet_id,
        "aws.vpcflow.vpc_id": facts.vpc_id,
        "aws.vpcflow.pkt_srcaddr": source.packet_address,
        "aws.vpcflow.pkt_dstaddr": destination.packet_address,
        "aws.vpcflow.pkt_src_service": source.service,
        "aws.vpcflow.pkt_dst_service": destination.service,
        "aws.vpcflow.tcp_flags": str(facts.tcp_flags) if facts.tcp_flags is not None else None,
        "aws.vpcflow.traffic_path": str(facts.traffic_path) if facts.traffic_path is not None else None,
        **{f"aws.vpcflow.{name}": word for name, word in facts.rest.items()},
    }
