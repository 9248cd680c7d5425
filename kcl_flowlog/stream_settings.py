"""The settings of the stream and of reading it: the first rows of the table in `kcl_flowlog.config`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kcl_flowlog import values
from kcl_flowlog.setting import setting
from kcl_flowlog.values import at_least


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """Which stream to read, as whom, and how."""

    stream: str = setting(
        flag="--stream",
        group="Stream",
        default=None,
        parse=values.parse_stream,
        metavar="NAME|ARN",
        help="Kinesis stream that carries the flow logs, by its name or its ARN. Required.",
    )
    stream_role: str = setting(
        flag="--stream-role",
        group="Stream",
        default="",
        metavar="ARN",
        help="Role to assume to read the stream of another account. Leases and inventory use the own credentials.",
    )
    application: str = setting(
        flag="--application",
        group="Stream",
        default="kcl-flowlog",
        parse=values.parse_name,
        metavar="NAME",
        help="Name of the KCL application and of its lease table in DynamoDB. Instances with the same name share the shards.",
    )
    region: str = setting(
        flag="--region",
        group="Stream",
        default="",
        metavar="REGION",
        help="AWS region of the stream, the lease table and the inventory. Default: the region of the stream's ARN, AWS_REGION, AWS_DEFAULT_REGION or the profile's region.",
    )
    initial_position: datetime | Literal["now", "trim-horizon"] = setting(
        flag="--initial-position",
        group="Stream",
        default="now",
        parse=values.parse_initial_position,
        metavar="POSITION",
        help="Where a new application starts to read: `now` (its first start), `trim-horizon` (the oldest record) or a time such as 2026-01-31T12:00:00Z. Ignored once the application has begun.",
    )
    retrieval: str = setting(
        flag="--retrieval",
        group="Stream",
        default="polling",
        choices=("polling", "fan-out"),
        metavar="MODE",
        help="How to read records. `fan-out` registers a stream consumer, which AWS charges for.",
    )
    checkpoint_interval: float = setting(
        flag="--checkpoint-interval",
        group="Stream",
        default="10s",
        parse=at_least("100ms", values.parse_duration),
        metavar="TIME",
        help="Maximum time between two checkpoints of a shard. Counts appear in /metrics after their checkpoint.",
    )
