"""Through the real MultiLangDaemon: several formats, several encodings and bad data on one stream.

Three log groups: `shop` has the default format, `lab` a long custom format, and `depot` two formats of the same length,
one for accepted and one for rejected traffic. The same stream carries transformed events, payloads of forwarders, lines
of a Transit Gateway, duplicates and bad data.
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
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.records import Record
from kcl_flowlog.demo.tally import Tally
from kcl_flowlog.demo.world_builder import WorldSpec
from tests.support.scenario import Scenario, new_scenario

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

ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "data": gzip.compress,
    "plain": bytes,
    "base64": lambda text: base64.b64encode(gzip.compress(text)),
}


def line_in(log_format: str, record: Record) -> str:
    """Return the line of a record in another format."""
    values = dict(zip(DEFAULT.split(), record.line.split(), strict=True))
    values |= {"flow-direction": record.key.direction if record.key else "-", "reject-reason": "-"}
    values |= {"pkt-srcaddr": values["srcaddr"], "pkt-dstaddr": values["dstaddr"], "tcp-flags": "2", "az-id": "-"}
    return " ".join(values[name.strip("${}")] for name in log_format.split())


def transformed(record: Record) -> str:
    """Return a record as the transformer of CloudWatch Logs writes it."""
    words = dict(zip(DEFAULT.split(), record.line.split(), strict=True))
    return json.dumps({CAMEL[name]: int(word) if word.isdigit() else word for name, word in words.items()})


class Forwarder:
    """Builds envelopes of a log stream, each with the counts to expect."""

    def __init__(self, scenario: Scenario) -> None:
        self._ids = scenario.ids
        self._owner = scenario.world.account_id

    def text(self, group: str, log_stream: str, messages: Iterable[Any]) -> bytes:
        """Return the JSON of an envelope."""
        events = [{"id": next(self._ids), "timestamp": 0, "message": message} for message in messages]
        head = {"messageType": "DATA_MESSAGE", "owner": self._owner, "logGroup": group, "logStream": log_stream}
        return json.dumps({**head, "subscriptionFilters": ["all"], "logEvents": events}).encode()

    def records(self, records: Sequence[Record], messages: Iterable[str], encoding: str = "data") -> Envelope:
        """Return an envelope with records of one network interface."""
        interface = records[0].interface
        log_stream = f"{interface.id}-all"
        data = ENCODINGS[encoding](self.text(interface.subnet.log_group, log_stream, messages))
        truth = Tally(payloads=Counter({encoding: 1}))
        for record in records:
            record.count_into(truth)
        return Envelope(log_stream, data, truth)


def create_flow_logs(scenario: Scenario) -> None:
    """Give the log groups the formats of this test."""
    ec2 = scenario.aws.client("ec2")
    before = ec2.describe_flow_logs()["FlowLogs"]
    vpcs = {flow_log["LogGroupName"]: flow_log["ResourceId"] for flow_log in before}
    ec2.delete_flow_logs(FlowLogIds=[flow_log["FlowLogId"] for flow_log in before if flow_log["LogGroupName"] != SHOP])
    depot = [subnet.id for subnet in scenario.world.subnets if subnet.log_group == DEPOT]
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
            DeliverLogsPermissionArn=f"arn:aws:iam::{scenario.world.account_id}:role/flow-logs",
            LogFormat=log_format,
        )
        assert [] == answer["Unsuccessful"]


def good_envelopes(scenario: Scenario, forwarder: Forwarder) -> list[Envelope]:
    """Return traffic of every VPC in the formats of its log group; some envelopes have another encoding than AWS's."""
    by_interface: dict[str, list[Record]] = defaultdict(list)
    for record in scenario.traffic.step(int(time.time()), 10.0, 3000):
        by_interface[record.interface.id].append(record)
    envelopes = []
    for number, records in enumerate(by_interface.values()):
        group = records[0].interface.subnet.log_group
        if group == SHOP:
            encoding = ("data", "plain", "base64")[number % 3]
            lines = [transformed(record) if place % 2 else record.line for place, record in enumerate(records)]
            envelopes.append(forwarder.records(records, lines, encoding))
        elif group == LAB:
            envelopes.append(forwarder.records(records, [line_in(LONG, record) for record in records]))
        else:
            # Neither format of this group has a status, so they can't write a record without traffic.
            keys = [(record, record.key) for record in records if record.key is not None]
            lines = [line_in(REJECTED if key.action == "reject" else ACCEPTED, record) for record, key in keys]
            if lines:
                envelopes.append(forwarder.records([record for record, _ in keys], lines))
    return envelopes


def other_envelopes(forwarder: Forwarder, repeated: Sequence[Envelope]) -> list[Envelope]:
    """Return envelopes that count for no subnet: duplicates, lines of a Transit Gateway, bad lines and bad payloads."""
    duplicates = [
        Envelope(
            envelope.log_stream,
            envelope.data,
            Tally(
                payloads=Counter({"duplicate": 1}),
                events=Counter({"duplicate": sum(envelope.tally.events.values())}),
            ),
        )
        for envelope in repeated
    ]
    transit = Envelope(
        "tgw",
        gzip.compress(forwarder.text("/tgw", "tgw-attach-0a", [TRANSIT_LINE] * 5)),
        Tally(payloads=Counter({"data": 1}), events=Counter({"unsupported": 5})),
    )
    bad_lines = Envelope(
        "bad",
        gzip.compress(forwarder.text(SHOP, "something", BAD_LINES)),
        Tally(payloads=Counter({"data": 1}), events=Counter({"malformed": len(BAD_LINES)})),
    )
    bad_payloads = [Envelope("bad", data, Tally(payloads=Counter({"malformed": 1}))) for data in BAD_PAYLOADS]
    return [*duplicates, transit, bad_lines, *bad_payloads]


def test_every_good_record_counts_once_whatever_else_is_on_the_stream(tmp_path: Path) -> None:
    """Totals equal the truth, the lag returns to 0, bad data becomes dead letters, and a replay counts those again."""
    with new_scenario(tmp_path, spec=SPEC) as scenario:
        create_flow_logs(scenario)
        forwarder = Forwarder(scenario)
        good = good_envelopes(scenario, forwarder)
        scenario.put_envelopes(good)
        scenario.instance.start()
        scenario.verify_counts()
        scenario.put_envelopes(other_envelopes(forwarder, good[:7]))
        scenario.put_envelopes(good_envelopes(scenario, forwarder))

        page = scenario.verify_counts()

        reasons = Counter([*BAD_LINES.values(), *BAD_PAYLOADS.values()])
        assert reasons == page.malformed
        assert page.counted.events["duplicate"] > 0
        scenario.instance.wait_for("end of the lag", lambda page: page.lag == 0)
        letters = scenario.instance.dead_letters()
        bodies = {**BAD_LINES, **{base64.b64encode(data).decode(): reason for data, reason in BAD_PAYLOADS.items()}}
        assert sorted(bodies.items()) == sorted((letter["body"], letter["reason"]) for letter in letters)
        assert reasons == replay(scenario.instance.state)["malformed"]


def replay(state: Path) -> dict[str, Any]:
    """Run `kcl-flowlog replay` on the dead letters without any AWS; return its report."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KCL_FLOWLOG_"))}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kcl_flowlog", "replay", "--output", "json"),
            *("--inventory", str(state / "inventory.json"), str(state / "dead-letters.jsonl")),
        ],
        env=environment,
        capture_output=True,
        check=False,
    )
    # Nothing of the file can be read.
    assert 1 == done.returncode, done.stderr
    return dict(json.loads(done.stdout))
