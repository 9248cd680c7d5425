"""What the KCL and the product need from the embedded AWS."""

from __future__ import annotations

import socket

import h2.connection
import h2.events
import psutil
import pytest
from botocore.exceptions import ClientError

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.inventory.aws_errors import is_denied


def test_kinesis_answers_over_http2_without_tls(aws: EmbeddedAWS) -> None:
    """A client with prior knowledge gets an answer over HTTP/2, as the KCL's Kinesis client needs it."""
    host, port = aws.endpoint.removeprefix("http://").split(":")
    client = h2.connection.H2Connection()
    client.initiate_connection()
    scope = "Credential=demo/20260101/eu-west-1/kinesis/aws4_request, SignedHeaders=host, Signature=0"
    headers = {
        ":method": "POST",
        ":path": "/",
        ":scheme": "http",
        ":authority": f"{host}:{port}",
        "x-amz-target": "Kinesis_20131202.ListStreams",
        "content-type": "application/x-amz-json-1.1",
        "authorization": f"AWS4-HMAC-SHA256 {scope}",
    }
    client.send_headers(1, list(headers.items()))
    client.send_data(1, b"{}", end_stream=True)
    events: list[h2.events.Event] = []
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(client.data_to_send())
        while not any(isinstance(event, h2.events.StreamEnded) for event in events):
            events += client.receive_data(connection.recv(65535))
    (response,) = (event for event in events if isinstance(event, h2.events.ResponseReceived))
    body = b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived))
    assert b"200" == dict(response.headers)[b":status"]
    assert b"StreamNames" in body


def test_dynamodb_refuses_a_write_whose_condition_fails(aws: EmbeddedAWS) -> None:
    """A conditional write with a stale counter fails: it is what fences a lease."""
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName="leases",
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="leases", Item={"leaseKey": {"S": "shard"}, "leaseCounter": {"N": "2"}})

    def renew(counter: int) -> None:
        dynamodb.update_item(
            TableName="leases",
            Key={"leaseKey": {"S": "shard"}},
            AttributeUpdates={"leaseCounter": {"Value": {"N": str(counter + 1)}, "Action": "PUT"}},
            Expected={"leaseCounter": {"Value": {"N": str(counter)}, "ComparisonOperator": "EQ"}},
        )

    renew(2)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        renew(2)


def test_a_read_behind_many_records_is_cheap(aws: EmbeddedAWS) -> None:
    """A read behind 10,000 records of a shard takes the server less than a quarter of a second of CPU time."""
    kinesis = aws.client("kinesis")
    kinesis.create_stream(StreamName="long", ShardCount=1)
    for _ in range(20):
        kinesis.put_records(StreamName="long", Records=[{"Data": b"x", "PartitionKey": "k"}] * 500)
    (shard,) = kinesis.list_shards(StreamName="long")["Shards"]
    latest = kinesis.get_shard_iterator(StreamName="long", ShardId=shard["ShardId"], ShardIteratorType="LATEST")

    def cpu_seconds() -> float:
        times = psutil.Process(aws.pid).cpu_times()
        return times.user + times.system

    before = cpu_seconds()
    for _ in range(20):
        assert [] == kinesis.get_records(ShardIterator=latest["ShardIterator"])["Records"]
    assert cpu_seconds() - before < 20 * 0.25


def test_a_denied_action_is_refused_as_ec2_does() -> None:
    """EC2 refuses a denied action like an account without the permission, and permits everything else."""
    with EmbeddedAWS(denied=("DescribeNetworkInterfaces",)) as aws:
        ec2 = aws.client("ec2")
        assert ec2.describe_vpcs()["Vpcs"]
        with pytest.raises(ClientError) as refusal:
            ec2.describe_network_interfaces()

    assert is_denied(refusal.value)
