"""Checks of the credentials, the clock and the stream. Harmless calls only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from kcl_flowlog.checks.result import FAIL, OK, WARN, Finding
from kcl_flowlog.checks.world import World
from kcl_flowlog.inventory.aws_errors import (
    AWS_ERRORS,
    error_code,
    has_invalid_credentials,
    is_denied,
    is_unreachable,
    one_line,
    what_to_check,
)
from kcl_flowlog.inventory.sts import CLIENT_SETTINGS
from kcl_flowlog.launcher import kcl_properties

# AWS refuses signatures that are older than five minutes.
_MOST_DRIFT, _SOME_DRIFT = 240.0, 30.0
_SHORT_LIFE = 600.0
_TELLS = {"ACTIVE": OK, "UPDATING": OK, "CREATING": WARN}


def credentials(world: World) -> Iterator[Finding]:
    """There are credentials, and AWS takes them; the daemon gets the same."""
    identity = world.aws.identity
    left = identity.expires_at - world.clock()
    try:
        answer = world.aws.client("sts", **CLIENT_SETTINGS).get_caller_identity()
    except AWS_ERRORS as error:
        if has_invalid_credentials(error):
            yield FAIL, f"AWS rejects the credentials ({error_code(error)}); renew or correct them"
        elif is_unreachable(error):
            yield WARN, f"cannot reach STS ({one_line(error)[:-1]}); check {what_to_check(error)}"
        else:
            yield FAIL, f"STS refuses: {one_line(error)}"
        return
    world.note_date(answer)
    if identity.expires_at and left < _SHORT_LIFE:
        yield WARN, f"{answer['Arn']}: expire in {max(0, int(left))} s; log in again if their source gives no new ones"
    else:
        yield OK, f"{answer['Arn']}, for the launcher and the daemon"


def clock(world: World) -> Iterator[Finding]:
    """This machine's clock is that of AWS."""
    date = world.date
    try:
        drift = abs(parsedate_to_datetime(date).timestamp() - world.clock())
    except ValueError:
        yield WARN, "AWS did not tell the time; nothing to compare the clock with"
        return
    if drift > _MOST_DRIFT:
        yield FAIL, f"off by {drift:.0f} s, so AWS will refuse signatures; set the clock, with NTP"
    elif drift > _SOME_DRIFT:
        yield WARN, f"off by {drift:.0f} s; set the clock, with NTP"
    else:
        yield OK, "as that of AWS"


def stream(world: World) -> Iterator[Finding]:
    """The stream exists, and the KCL would read it and no other."""
    identity = world.aws.check_stream(world.stream)
    kcl_properties.check_consumer(
        world.config.kcl_property, identity.arn if identity is not None else "", world.stream.name
    )
    world.note_stream(identity)
    if identity is None or identity.created_at is None:
        yield WARN, "missing permission kinesis:DescribeStreamSummary; a mistake in --stream shows late"
        return
    summary = world.kinesis.describe_stream_summary(StreamName=world.stream.name)["StreamDescriptionSummary"]
    status = summary["StreamStatus"]
    key = f", encrypted with {summary['KeyId']}" if summary.get("EncryptionType") == "KMS" else ""
    text = (
        f"{identity.arn}: {status}, {summary['OpenShardCount']} open shards, {summary['RetentionPeriodHours']} h{key}"
    )
    advice = {OK: "", WARN: "; wait until it is active", FAIL: "; it goes away, choose another stream"}
    outcome = _TELLS.get(status, FAIL)
    yield outcome, text + advice[outcome]


def reading(world: World) -> Iterator[Finding]:
    """Each call with which the daemon reads a shard is permitted, decryption included."""
    name, kinesis = world.stream.name, world.kinesis
    listed = yield from _permitted("kinesis:ListShards", lambda: kinesis.list_shards(StreamName=name, MaxResults=1000))
    if listed is None:
        return
    world.shards = {shard["ShardId"] for shard in listed["Shards"]}
    shard_id = listed["Shards"][-1]["ShardId"]
    iterator = yield from _permitted(
        "kinesis:GetShardIterator",
        lambda: kinesis.get_shard_iterator(StreamName=name, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"),
    )
    if iterator is None:
        return
    if world.config.retrieval == "fan-out":
        yield (
            OK,
            f"{len(listed['Shards'])} shards; the calls of fan-out are not tried, as they would register a consumer",
        )
        return
    found = yield from _permitted(
        "kinesis:GetRecords", lambda: kinesis.get_records(ShardIterator=iterator["ShardIterator"], Limit=1)
    )
    if found is not None:
        yield OK, f"{len(listed['Shards'])} shards, and a record of {shard_id} can be read"


def _permitted(action: str, call: Callable[[], Any]) -> Any:
    """Return the answer of a call; if it is denied, yield that, and return None."""
    try:
        return call()
    except AWS_ERRORS as error:
        if error_code(error).startswith("KMS"):
            yield FAIL, f"the stream's key can't be used ({error_code(error)}); allow kms:Decrypt on it"
        elif is_denied(error):
            yield FAIL, f"missing permission {action}; kcl-flowlog policy prints what is needed"
        else:
            raise
        return None
