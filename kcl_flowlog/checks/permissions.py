"""Each permission that an instance uses, in one table: the source of `kcl-flowlog policy` and of its documentation.

A row is an action on one kind of resource: who asks for it, why, and what is lost without. Pure.

Sources of the daemon's actions: `KinesisShardDetector`, `KinesisDataFetcher`, `FanOutConsumerRegistration`,
`FanOutRecordsPublisher`, `DynamoDBLeaseRefresher`, `CoordinatorStateDAO` and `WorkerMetricStatsDAO` of
amazon-kinesis-client 3.1.3, and docs.aws.amazon.com/streams/latest/dev/kcl-iam-permissions.html.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kcl_flowlog.config import Config
from kcl_flowlog.launcher.kcl_properties import CONSUMER_PROPERTY

STREAM, CONSUMERS = "stream", "consumers of the stream"
LEASES, OWNERS = "lease table", "index of the lease table"
COORDINATOR, WORKERS = "table of coordinator state", "table of worker metrics"
KEY, ROLE, STREAM_ROLE, ANY = "key of the stream", "inventory role", "stream role", "all"

LAUNCHER, DAEMON, BOTH = "launcher", "daemon", "launcher and daemon"

Condition = Callable[[Config], bool]


@dataclass(frozen=True)
class Permission:
    """An action on a kind of resource; `without` is empty if an instance can't count without it.

    `applies` says with which settings it is used.
    """

    action: str
    resource: str
    user: str
    why: str
    without: str = ""
    applies: Condition = lambda _: True

    @property
    def is_required(self) -> bool:
        """Whether an instance can't count without it."""
        return not self.without


def _uses_fan_out(config: Config) -> bool:
    return config.retrieval == "fan-out"


def _registers_consumer(config: Config) -> bool:
    return _uses_fan_out(config) and CONSUMER_PROPERTY not in config.kcl_property


def _is_set(name: str) -> Condition:
    return lambda config: config.kcl_property.get(name, "").lower() not in ("", "false", "no", "n", "off", "0")


_SUMMARY = "kinesis:DescribeStreamSummary"

PERMISSIONS = (
    Permission("kinesis:ListShards", STREAM, DAEMON, "finds the shards"),
    Permission("kinesis:GetShardIterator", STREAM, DAEMON, "begins to read a shard at its checkpoint"),
    Permission("kinesis:GetRecords", STREAM, DAEMON, "reads a shard", applies=lambda config: not _uses_fan_out(config)),
    Permission(_SUMMARY, STREAM, DAEMON, "finds the stream of the consumer", applies=_registers_consumer),
    Permission(
        _SUMMARY,
        STREAM,
        LAUNCHER,
        "checks the stream at the start, and counts its open shards",
        "A mistake in `--stream` shows late, a stream that was deleted and created again is not recognised, and"
        " `flowlog_stream_open_shards` is absent.",
    ),
    Permission("kinesis:RegisterStreamConsumer", STREAM, DAEMON, "registers the consumer", applies=_registers_consumer),
    Permission(
        "kinesis:DescribeStreamConsumer", CONSUMERS, DAEMON, "waits for the consumer", applies=_registers_consumer
    ),
    Permission("kinesis:SubscribeToShard", CONSUMERS, DAEMON, "reads a shard", applies=_uses_fan_out),
    Permission("dynamodb:DescribeTable", LEASES, DAEMON, "waits for the table"),
    Permission("dynamodb:CreateTable", LEASES, DAEMON, "creates the table at the first start"),
    Permission("dynamodb:UpdateTable", LEASES, DAEMON, "adds the index by owner at the first start"),
    Permission("dynamodb:Scan", LEASES, BOTH, "lists the leases; finds claims, and the rows of an earlier start"),
    Permission("dynamodb:GetItem", LEASES, BOTH, "reads a lease; settles a commit whose answer was lost"),
    Permission("dynamodb:PutItem", LEASES, DAEMON, "adds the lease of a new shard"),
    Permission("dynamodb:UpdateItem", LEASES, BOTH, "takes, renews and checkpoints a lease; claims a shard"),
    Permission("dynamodb:DeleteItem", LEASES, DAEMON, "deletes the lease of a shard that is gone"),
    Permission("dynamodb:Query", OWNERS, DAEMON, "finds the own leases"),
    Permission("dynamodb:DescribeTable", COORDINATOR, BOTH, "waits for the table"),
    Permission("dynamodb:CreateTable", COORDINATOR, LAUNCHER, "creates the table at the first start"),
    Permission("dynamodb:GetItem", COORDINATOR, BOTH, "reads the leader's lock, the application and the own start"),
    Permission("dynamodb:PutItem", COORDINATOR, BOTH, "becomes the leader; notes the application; gives signs of life"),
    Permission("dynamodb:UpdateItem", COORDINATOR, DAEMON, "keeps the leader's lock"),
    Permission(
        "dynamodb:DeleteItem",
        COORDINATOR,
        BOTH,
        "releases the leader's lock and ends the own start at a stop",
        "After a leader stops, no shard moves for two minutes, and a start on another machine waits for 20 s.",
    ),
    Permission("dynamodb:DescribeTable", WORKERS, DAEMON, "waits for the table"),
    Permission("dynamodb:CreateTable", WORKERS, DAEMON, "creates the table at the first start"),
    Permission("dynamodb:Scan", WORKERS, DAEMON, "finds the live workers, to hand shards to"),
    Permission("dynamodb:UpdateItem", WORKERS, DAEMON, "tells that the worker is alive"),
    Permission("dynamodb:DeleteItem", WORKERS, DAEMON, "deletes workers that are gone"),
    *(
        Permission(
            "dynamodb:UpdateContinuousBackups", table, user, "turns on point-in-time recovery", applies=_is_set(name)
        )
        for table, user, name in (
            (LEASES, DAEMON, "leaseTablePitrEnabled"),
            (COORDINATOR, LAUNCHER, "coordinatorStatePointInTimeRecoveryEnabled"),
            (WORKERS, DAEMON, "workerMetricsPointInTimeRecoveryEnabled"),
        )
    ),
    Permission(
        "dynamodb:TagResource",
        COORDINATOR,
        LAUNCHER,
        "creates the table with tags",
        applies=_is_set("coordinatorStateTags"),
    ),
    Permission(
        "dynamodb:TagResource", WORKERS, DAEMON, "creates the table with tags", applies=_is_set("workerMetricsTags")
    ),
    Permission("ec2:DescribeSubnets", ANY, LAUNCHER, "lists the subnets"),
    Permission(
        "ec2:DescribeNetworkInterfaces",
        ANY,
        LAUNCHER,
        "lists the interfaces, and looks up those that only records name",
        "The subnet of an interface is learned from its records"
        " ([what that can't tell](docs/accounting.md#without-permission-to-list-interfaces)).",
    ),
    Permission(
        "ec2:DescribeFlowLogs",
        ANY,
        LAUNCHER,
        "finds the format of each log group",
        "Formats other than the default must be given with `--flow-log-format`; nothing tells which VPC a log group is"
        " of, so without `ec2:DescribeNetworkInterfaces` records of VPCs with the same addresses stay `unattributed`;"
        " `flowlog_flow_log_delivery_errors` and `flowlog_subnets_without_flow_logs` are absent.",
    ),
    Permission(
        "ec2:DescribeVpcs",
        ANY,
        LAUNCHER,
        "finds the names of VPCs",
        "`vpc_name` of `flowlog_subnet_info` is empty.",
    ),
    Permission(
        "sts:AssumeRole", STREAM_ROLE, BOTH, "reads the stream", applies=lambda config: bool(config.stream_role)
    ),
    Permission(
        "sts:AssumeRole",
        ROLE,
        LAUNCHER,
        "reads the subnets of other accounts",
        "The subnets of that account are unknown.",
        applies=lambda config: bool(config.inventory_role),
    ),
    Permission(
        "cloudwatch:PutMetricData",
        ANY,
        DAEMON,
        "sends the KCL's metrics",
        "CloudWatch has no metrics of the KCL.",
        applies=lambda config: config.kcl_metrics != "none",
    ),
    Permission("kms:Decrypt", KEY, DAEMON, "reads an encrypted stream"),
)
"""All permissions, by resource; `kms:Decrypt` applies only if a key is given."""
