"""Checks the properties of the KCL, and renders the properties file from the shipped template.

Pure. The KCL ignores a property that it does not know; here it is a `ConfigError`.

Source of the names: the setters of `MultiLangDaemonConfiguration` and its beans, amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from kcl_flowlog.errors import ConfigError

LAUNCHER_PROPERTIES = {
    "applicationName": "--application",
    "streamName": "--stream",
    "streamArn": "--stream",
    "regionName": "--region",
    "executableName": "",
    "processingLanguage": "",
    "workerId": "",
    "workerIdentifier": "",
    "initialPositionInStream": "--initial-position",
    "initialPositionInStreamExtended": "--initial-position",
    "retrievalMode": "--retrieval",
    "callProcessRecordsEvenForEmptyRecordList": "",
    "shutdownGraceMillis": "--shutdown-grace",
    "metricsLevel": "--kcl-metrics",
    # The launcher reads the lease table too, and must find it where the KCL does.
    "dynamoDBEndpoint": "AWS_ENDPOINT_URL_DYNAMODB",
    "dynamoDbClient.endpointOverride": "AWS_ENDPOINT_URL_DYNAMODB",
    # The launcher's and the daemon's identity are one.
    "AwsCredentialsProvider": "the credentials of the environment, or --stream-role",
    "AwsCredentialsProviderDynamoDB": "the credentials of the environment",
    "AwsCredentialsProviderCloudWatch": "the credentials of the environment",
    # The launcher has checked the stream, and the daemon must read that.
    "kinesisEndpoint": "AWS_ENDPOINT_URL_KINESIS",
    "kinesisClient.endpointOverride": "AWS_ENDPOINT_URL_KINESIS",
}

"""The properties that the launcher sets, each with what a user sets instead; empty if a user can't change it."""

USER_PROPERTIES = frozenset(
    [
        "cloudWatchClient.endpointOverride",
        "tableName",
        "failoverTimeMillis",
        "leaseAssignmentIntervalMillis",
        "enablePriorityLeaseAssignment",
        "leaseTableDeletionProtectionEnabled",
        "leaseTablePitrEnabled",
        "shardSyncIntervalMillis",
        "cleanupLeasesUponShardCompletion",
        "ignoreUnexpectedChildShards",
        "maxLeasesForWorker",
        "maxLeasesToStealAtOneTime",
        "initialLeaseTableReadCapacity",
        "initialLeaseTableWriteCapacity",
        "maxLeaseRenewalThreads",
        "listShardsBackoffTimeInMillis",
        "maxListShardsRetryAttempts",
        "parentShardPollIntervalMillis",
        "skipShardSyncAtWorkerInitializationIfLeasesExist",
        "schedulerInitializationBackoffTimeMillis",
        "clientVersionConfig",
        "coordinatorStateTableName",
        "coordinatorStateBillingMode",
        "coordinatorStateReadCapacity",
        "coordinatorStateWriteCapacity",
        "coordinatorStatePointInTimeRecoveryEnabled",
        "coordinatorStateDeletionProtectionEnabled",
        "coordinatorStateTags",
        "taskBackoffTimeMillis",
        "metricsBufferTimeMillis",
        "metricsMaxQueueSize",
        "metricsEnabledDimensions",
        "logWarningForTaskAfterMillis",
        "timeoutInSeconds",
        "maxActiveThreads",
        "maxRecords",
        "idleTimeBetweenReadsInMillis",
        "millisBehindLatestThresholdForReducedTps",
        "retryGetRecordsInSeconds",
        "maxGetRecordsThreadPool",
        "fanoutConfig.consumerArn",
        "fanoutConfig.consumerName",
        "fanoutConfig.maxDescribeStreamSummaryRetries",
        "fanoutConfig.maxDescribeStreamConsumerRetries",
        "fanoutConfig.registerStreamConsumerRetries",
        "fanoutConfig.retryBackoffMillis",
        "isGracefulLeaseHandoffEnabled",
        "gracefulLeaseHandoffTimeoutMillis",
        "workerMetricsTableName",
        "workerMetricsBillingMode",
        "workerMetricsReadCapacity",
        "workerMetricsWriteCapacity",
        "workerMetricsPointInTimeRecoveryEnabled",
        "workerMetricsDeletionProtectionEnabled",
        "workerMetricsTags",
        "disableWorkerMetrics",
        "inMemoryWorkerMetricsCaptureFrequencyMillis",
        "workerMetricsReporterFreqInMillis",
        "noOfPersistedMetricsPerWorkerMetrics",
        "maxThroughputPerHostKBps",
        "dampeningPercentage",
        "reBalanceThresholdPercentage",
        "allowThroughputOvershoot",
        "varianceBalancingFrequency",
        "workerMetricsEMAAlpha",
        "staleWorkerMetricsEntryCleanupDuration",
    ]
)
"""The properties that a user may set."""


CONSUMER_PROPERTY = "fanoutConfig.consumerArn"
"""Names the consumer of `--retrieval fan-out`; without it, the KCL registers a consumer."""


def endpoints(extra: Mapping[str, str]) -> list[str]:
    """Return the endpoints that a user has set."""
    return [extra[key] for key in ("cloudWatchClient.endpointOverride",) if key in extra]


def check_consumer(extra: Mapping[str, str], arn: str, name: str) -> None:
    """Raise `ConfigError` if a user has set a consumer of another stream: the KCL would read that stream.

    `arn` is the ARN of the stream, empty if unknown.
    """
    consumer = extra.get(CONSUMER_PROPERTY)
    if consumer is None:
        return
    of_stream = consumer.partition("/consumer/")[0]
    if of_stream != arn if arn else not of_stream.endswith(f":stream/{name}"):
        raise ConfigError(
            f"--kcl-property: {CONSUMER_PROPERTY} names a consumer of {of_stream}, but --stream is {arn or name}."
        )


def check_extra(extra: Iterable[str]) -> None:
    """Check the keys of `--kcl-property`. Raises `ConfigError` if a user can't set a key."""
    for key in extra:
        if key in LAUNCHER_PROPERTIES:
            instead = f"; use {LAUNCHER_PROPERTIES[key]}" if LAUNCHER_PROPERTIES[key] else ""
            raise ConfigError(f"--kcl-property: kcl-flowlog sets {key} itself{instead}.")
        if key not in USER_PROPERTIES:
            near = get_close_matches(key, USER_PROPERTIES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ConfigError(f"--kcl-property: the KCL has no property {key!r}, and would ignore it{hint}")


def render(template: str, values: Mapping[str, str], extra: Mapping[str, str]) -> str:
    """Return the text of the properties file: the template with `values` for its names behind a dollar sign.

    A property in `extra` replaces the template's line, or is added at the end. Raises `ConfigError` if the template has
    a key that the KCL does not know.
    """
    text = string.Template(template).substitute({name: _escaped(value) for name, value in values.items()})
    lines = []
    for line in text.splitlines():
        key = line.partition("=")[0].strip()
        if not line.startswith("#") and key:
            if key not in USER_PROPERTIES and key not in LAUNCHER_PROPERTIES:
                raise ConfigError(f"properties/kcl.properties: the KCL has no property {key!r}.")
            if key in extra:
                continue
        lines.append(line)
    lines += [f"{key} = {_escaped(value)}" for key, value in extra.items()]
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    """Escape a value for a Java properties file, which is Latin-1 and treats backslashes as escapes."""
    escaped = value.replace("\\", "\\\\")
    return "".join(
        char if " " <= char <= "~" else "".join(f"\\u{unit:04x}" for unit in _utf16(char)) for char in escaped
    )


def _utf16(char: str) -> list[int]:
    data = char.encode("utf-16-be")
    return [int.from_bytes(data[place : place + 2], "big") for place in range(0, len(data), 2)]
