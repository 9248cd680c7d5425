"""A denial as an event of the Open Cybersecurity Schema Framework (OCSF), for `--log-deny=ocsf`.

Class Network Activity with the profiles cloud and security_control, as OCSF's own example maps VPC flow logs. Fields of
the flow log without a place in that class are under `unmapped`, by their own names with `_` for `-`.
"""

from __future__ import annotations

from collections.abc import Mapping

from kcl_flowlog.processor.denial_facts import End, Facts

OCSF_VERSION = "1.8.0"
"""The version of the schema that the events follow."""

_NETWORK_ACTIVITY = 4001
_REFUSE = 5
_INFORMATIONAL = 1
_DENIED = 2
_BLOCKED = 2
_AWS_ACCOUNT = 10
_DIRECTION_IDS = {"ingress": 1, "egress": 2}
_UNKNOWN_DIRECTION = 0
# The boundary of each traffic-path of AWS, which has the same words for them.
_BOUNDARY_IDS = {path: path + 3 for path in range(1, 9)}
_OTHER_BOUNDARY = 99


def ocsf_event(facts: Facts, now: float) -> Mapping[str, object]:
    """Return the values of an event by the names of their attributes, None for a missing value."""
    # long because it is the table of all attributes.
    path = facts.traffic_path
    boundary_id = _BOUNDARY_IDS.get(path, _OTHER_BOUNDARY) if path is not None else None
    return {
        "class_uid": _NETWORK_ACTIVITY,
        "category_uid": _NETWORK_ACTIVITY // 1000,
        "activity_id": _REFUSE,
        "type_uid": _NETWORK_ACTIVITY * 100 + _REFUSE,
        "severity_id": _INFORMATIONAL,
        "action_id": _DENIED,
        "disposition_id": _BLOCKED,
        "time": _milliseconds(facts.start or facts.end or now),
        "start_time": _milliseconds(facts.start),
        "end_time": _milliseconds(facts.end),
        "status_detail": facts.reject_reason,
        "metadata.version": OCSF_VERSION,
        "metadata.profiles": ["cloud", "security_control"],
        "metadata.product.name": "Amazon VPC",
        "metadata.product.vendor_name": "AWS",
        "metadata.product.version": facts.version,
        "metadata.product.feature.name": "Flowlogs",
        "metadata.logged_time": _milliseconds(now),
        "cloud.provider": "AWS",
        "cloud.region": facts.region,
        "cloud.zone": facts.zone_id,
        "cloud.account.uid": facts.account_id,
        "cloud.account.type_id": _AWS_ACCOUNT if facts.account_id else None,
        **_endpoint("src_endpoint", facts.source, facts if facts.direction == "egress" else None),
        **_endpoint("dst_endpoint", facts.destination, facts if facts.direction == "ingress" else None),
        "connection_info.direction_id": _DIRECTION_IDS.get(facts.direction or "", _UNKNOWN_DIRECTION),
        "connection_info.boundary_id": boundary_id,
        # Beside "other" the schema wants the sender's word.
        "connection_info.boundary": str(path) if boundary_id == _OTHER_BOUNDARY else None,
        "connection_info.protocol_num": facts.protocol_number,
        "connection_info.protocol_name": facts.transport,
        "connection_info.protocol_ver_id": facts.ip_version,
        "connection_info.tcp_flags": facts.tcp_flags,
        "traffic.packets": facts.packets,
        "traffic.bytes": facts.bytes,
        **({} if facts.direction else _recorded_by("unmapped", facts, "id")),
        "unmapped.peer": facts.peer,
        **{f"unmapped.{name}": word for name, word in facts.rest.items()},
    }


def _endpoint(name: str, end: End, recorder: Facts | None) -> Mapping[str, object]:
    """Return the values of an endpoint; `recorder` has the interface that recorded the flow, if it is at this end."""
    address = end.packet_address or end.address
    recorded_by = _recorded_by(name, recorder, "uid") if recorder is not None else {}
    if not (address or end.service or any(recorded_by.values())):
        # A port alone is no endpoint.
        return {f"unmapped.{name[:3]}port": end.port}
    return {
        f"{name}.ip": address,
        f"{name}.port": end.port,
        f"{name}.intermediate_ips": [end.address] if end.address not in (None, address) else None,
        f"{name}.svc_name": end.service,
        **recorded_by,
    }


def _recorded_by(name: str, facts: Facts, suffix: str) -> Mapping[str, object]:
    return {
        f"{name}.interface_{suffix}": facts.interface_id,
        f"{name}.subnet_{suffix}": facts.subnet_id,
        f"{name}.vpc_{suffix}": facts.vpc_id,
        f"{name}.instance_{suffix}": facts.instance_id,
    }


def _milliseconds(seconds: float | None) -> int | None:
    return int(seconds * 1000) if seconds else None
