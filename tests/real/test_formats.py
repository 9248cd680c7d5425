"""Through the real MultiLangDaemon: several formats, other shapes and bad data at once, and nothing costs a figure.

Three log groups: `shop` in the default format, `lab` in a long custom one, `depot` in two at once of the same length,
one for what is accepted and one for what is rejected. Beside them on the stream: events that were transformed,
payloads of forwarders, a Transit Gateway's lines, copies, and data of anything.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.traffic import Record
from kcl_flowlog.demo.truth import Truth
from kcl_flowlog.demo.world import WorldSpec
from tests.support.story import Story, telling

pytestmark = pytest.mark.daemon

SPEC = WorldSpec(vpcs=("shop", "lab", "depot"))
SHOP, LAB, DEPOT = (SPEC.log_group.format(vpc) for vpc in SPEC.vpcs)
LONG = (
    "${flow-direction} ${az-id} ${bytes} ${packets} ${protocol} ${dstport} ${srcport} ${dstaddr} ${srcaddr}"
    " ${interface-id} ${pkt-dstaddr} ${pkt-srcaddr} ${tcp-flags} ${end} ${start} ${action} ${log-status} ${version}"
)
ACCEPTED = "${version} ${interface-id} ${srcaddr} ${dstaddr} ${protocol} ${packets} ${bytes} ${start} ${end} ${action}"
REJECTED = (
    "${interface-id} ${action} ${srcaddr} ${dstaddr} ${protocol} ${packets} ${bytes} ${start} ${end} ${reject-reason}"
)
DEFAULT = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
CAMEL = {
    "version": "version",
    "account-id": "accountId",
    "interface-id": "interfaceId",
    "srcaddr": "srcAddr",
    "dstaddr": "dstAddr",
    "srcport": "srcPort",
    "dstport": "dstPort",
    "protocol": "protocol",
    "packets": "packets",
    "bytes": "bytes",
    "start": "start",
    "end": "end",
    "action": "action",
    "log-status": "logStatus",
}
TRANSIT_LINE = "6 TransitGateway 123456789012 tgw-0a tgw-attach-0a 123456789012 - vpc-1 - subnet-1 - eni-1 - use1-az1"
BAD_LINES = {
    "a line of something else": "field_count",
    '{"level":"info"}': "message_not_flow_log",
    "{": "message_not_json",
    "2 1 eni-1 10.0.0.1 nowhere 1 2 6 1 1 1700000000 1700000060 ACCEPT OK": "bad_address",
    "2 1 eni-1 10.0.0.1 10.0.0.2 1 2 6 many 1 1700000000 1700000060 ACCEPT OK": "bad_number",
}
BAD_PAYLOADS = {
    b"not a payload": "payload_encoding",
    gzip.compress(b"x" * 5000)[:-9]: "payload_damaged",
    gzip.compress(b"{"): "payload_not_json",
    gzip.compress(b'{"a":1}'): "payload_not_envelope",
    gzip.compress(b'{"messageType":"NOVEL","logEvents":[]}'): "payload_message_type",
}


def written(record: Record, log_format: str) -> str:
    """Return a record's line in another format."""
    values = dict(zip(DEFAULT.split(), record.line.split(), strict=True))
    values |= {"flow-direction": record.key.direction if record.key else "-", "reject-reason": "-"}
    values |= {"pkt-srcaddr": values["srcaddr"], "pkt-dstaddr": values["dstaddr"], "tcp-flags": "2", "az-id": "-"}
    return " ".join(values[name.strip("${}")] for name in log_format.split())


def transformed(record: Record) -> str:
    """Return a record as CloudWatch Logs' transformer writes it."""
    words = dict(zip(DEFAULT.split(), record.line.split(), strict=True))
    return json.dumps({CAMEL[name]: int(word) if word.isdigit() else word for name, word in words.items()})


class Sender:
    """Makes envelopes of a log stream, each with what it counts as."""

    def __init__(self, story: Story) -> None:
        self._ids = story.ids
        self._owner = story.world.account_id

    def text(self, group: str, stream: str, messages: Iterable[Any]) -> bytes:
        events = [{"id": next(self._ids), "timestamp": 0, "message": message} for message in messages]
        head = {"messageType": "DATA_MESSAGE", "owner": self._owner, "logGroup": group, "logStream": stream}
        return json.dumps({**head, "subscriptionFilters": ["all"], "logEvents": events}).encode()

    def records(self, records: Sequence[Record], messages: Iterable[str], kind: str = "data") -> Envelope:
        interface = records[0].interface
        stream = f"{interface.id}-all"
        text = self.text(interface.subnet.log_group, stream, messages)
        data = {"data": gzip.compress, "plain": bytes, "base64": lambda it: base64.b64encode(gzip.compress(it))}[kind](
            text
        )
        truth = Truth(payloads=Counter({kind: 1}))
        for record in records:
            record.count_into(truth)
        return Envelope(stream, data, truth)


def flow_logs(story: Story) -> None:
    """Give the log groups the formats of this story."""
    ec2 = story.aws.client("ec2")
    before = ec2.describe_flow_logs()["FlowLogs"]
    vpcs = {one["LogGroupName"]: one["ResourceId"] for one in before}
    ec2.delete_flow_logs(FlowLogIds=[one["FlowLogId"] for one in before if one["LogGroupName"] != SHOP])
    depot = [subnet.id for subnet in story.world.subnets if subnet.log_group == DEPOT]
    for group, kind, resources, traffic, log_format in (
        (LAB, "VPC", [vpcs[LAB]], "ALL", LONG),
        (DEPOT, "VPC", [vpcs[DEPOT]], "ACCEPT", ACCEPTED),
        (DEPOT, "Subnet", depot, "REJECT", REJECTED),
    ):
        answer = ec2.create_flow_logs(
            ResourceIds=resources,
            ResourceType=kind,
            TrafficType=traffic,
            LogGroupName=group,
            DeliverLogsPermissionArn=f"arn:aws:iam::{story.world.account_id}:role/flow-logs",
            LogFormat=log_format,
        )
        assert answer["Unsuccessful"] == []


def good_envelopes(story: Story, sender: Sender) -> list[Envelope]:
    """Return traffic of every VPC in the formats of its log group, some of it as others than AWS send it."""
    of_interface: dict[str, list[Record]] = defaultdict(list)
    for record in story.traffic.step(int(time.time()), 10.0, 3000):
        of_interface[record.interface.id].append(record)
    envelopes = []
    for number, records in enumerate(of_interface.values()):
        group = records[0].interface.subnet.log_group
        if group == SHOP:
            kind = ("data", "plain", "base64")[number % 3]
            lines = [transformed(one) if place % 2 else one.line for place, one in enumerate(records)]
            envelopes.append(sender.records(records, lines, kind))
        elif group == LAB:
            envelopes.append(sender.records(records, [written(one, LONG) for one in records]))
        else:
            # Neither of its formats has a status, so there is nothing to write without traffic.
            records = [one for one in records if one.key is not None]
            lines = [written(one, REJECTED if one.key and one.key.action == "reject" else ACCEPTED) for one in records]
            if records:
                envelopes.append(sender.records(records, lines))
    return envelopes


def odd_envelopes(sender: Sender, copied: Sequence[Envelope]) -> list[Envelope]:
    """Return what counts for no subnet: copies, a transit gateway, and data of anything."""
    copies = [
        Envelope(
            one.log_stream,
            one.data,
            Truth(payloads=Counter({"duplicate": 1}), events=Counter({"duplicate": sum(one.truth.events.values())})),
        )
        for one in copied
    ]
    transit = Envelope(
        "tgw",
        gzip.compress(sender.text("/tgw", "tgw-attach-0a", [TRANSIT_LINE] * 5)),
        Truth(payloads=Counter({"data": 1}), events=Counter({"unsupported": 5})),
    )
    bad_lines = Envelope(
        "bad",
        gzip.compress(sender.text(SHOP, "something", BAD_LINES)),
        Truth(payloads=Counter({"data": 1}), events=Counter({"malformed": len(BAD_LINES)})),
    )
    bad_payloads = [Envelope("bad", data, Truth(payloads=Counter({"malformed": 1}))) for data in BAD_PAYLOADS]
    return [*copies, transit, bad_lines, *bad_payloads]


def test_whatever_is_on_the_stream_each_good_record_counts_once(tmp_path: Path) -> None:
    """Totals equal the truth, the lag goes to 0, the dead letters are the bad ones, and a replay counts them again."""
    with telling(tmp_path, spec=SPEC) as story:
        flow_logs(story)
        sender = Sender(story)
        good = good_envelopes(story, sender)
        story.put_envelopes(good)
        story.instance.start()
        story.counts_all()
        story.put_envelopes(odd_envelopes(sender, good[:7]))
        story.put_envelopes(good_envelopes(story, sender))

        page = story.counts_all()

        reasons = Counter([*BAD_LINES.values(), *BAD_PAYLOADS.values()])
        assert page.malformed == reasons
        assert page.counted.events["duplicate"] > 0
        story.instance.wait_for("end of the lag", lambda page: page.lag == 0)
        letters = [json.loads(line) for line in (story.instance.state / "dead-letters.jsonl").read_text().splitlines()]
        bodies = {**BAD_LINES, **{base64.b64encode(data).decode(): reason for data, reason in BAD_PAYLOADS.items()}}
        assert sorted((one["body"], one["reason"]) for one in letters) == sorted(bodies.items())
        assert replayed(story.instance.state)["malformed"] == reasons


def replayed(state: Path) -> dict[str, Any]:
    """Return what `kcl-flowlog replay` makes of the dead letters, without any AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KCL_FLOWLOG_"))}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kcl_flowlog", "replay", "--output", "json"),
            *("--inventory", str(state / "inventory.json"), str(state / "dead-letters.jsonl")),
        ],
        env=kept,
        capture_output=True,
        check=True,
    )
    return dict(json.loads(done.stdout))
