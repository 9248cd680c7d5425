"""The embedded AWS, for real, and the world built in it."""

import ipaddress
import os
import random
import signal
import socket
import subprocess
import sys
import time

import h2.connection
import h2.events
import pytest
from botocore.exceptions import ClientError

from kcl_flowlog.demo import world as worlds
from kcl_flowlog.demo.aws import EmbeddedAWS
from kcl_flowlog.demo.envelopes import event_ids, pack, put
from kcl_flowlog.demo.errors import DemoError
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.inventory.aws_errors import is_denied
from tests.support.demo_fakes import eventually


@pytest.fixture(scope="module")
def aws():
    with EmbeddedAWS() as running:
        yield running


@pytest.fixture(scope="module")
def world(aws):
    return worlds.build(aws.client, aws.region)


def alive(pid):
    """Tell whether the process runs; one that has ended and waits for its parent does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_kinesis_answers_over_http2_without_tls(aws):
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
    events = []
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(client.data_to_send())
        while not any(isinstance(event, h2.events.StreamEnded) for event in events):
            events += client.receive_data(connection.recv(65535))
    (response,) = (event for event in events if isinstance(event, h2.events.ResponseReceived))
    body = b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived))
    assert dict(response.headers)[b":status"] == b"200"
    assert b"StreamNames" in body


def test_dynamodb_refuses_a_write_whose_condition_fails(aws):
    """A conditional write with a stale counter fails: it is what fences a lease."""
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName="leases",
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="leases", Item={"leaseKey": {"S": "shard"}, "leaseCounter": {"N": "2"}})

    def renew(counter):
        dynamodb.update_item(
            TableName="leases",
            Key={"leaseKey": {"S": "shard"}},
            AttributeUpdates={"leaseCounter": {"Value": {"N": str(counter + 1)}, "Action": "PUT"}},
            Expected={"leaseCounter": {"Value": {"N": str(counter)}, "ComparisonOperator": "EQ"}},
        )

    renew(2)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        renew(2)


def test_the_world_is_what_ec2_describes(aws, world):
    """Subnets, interfaces and their addresses are the same in EC2 as in the world."""
    ec2 = aws.client("ec2")
    described = ec2.describe_network_interfaces(NetworkInterfaceIds=[i.id for i in world.interfaces])
    expected = {i.id: (i.subnet.id, i.subnet.vpc_id, i.ipv4, i.ipv6) for i in world.interfaces}
    actual = {
        i["NetworkInterfaceId"]: (
            i["SubnetId"],
            i["VpcId"],
            tuple(address["PrivateIpAddress"] for address in i["PrivateIpAddresses"]),
            tuple(address["Ipv6Address"] for address in i["Ipv6Addresses"]),
        )
        for i in described["NetworkInterfaces"]
    }
    assert expected == actual
    subnets = ec2.describe_subnets(SubnetIds=[subnet.id for subnet in world.subnets])["Subnets"]
    assert {subnet.name for subnet in world.subnets} == {subnet["Tags"][0]["Value"] for subnet in subnets}


def test_an_ipv6_block_of_a_subnet_is_associated(aws, world):
    """DescribeSubnets gives the state of an IPv6 block in EC2's own word."""
    wanted = {subnet.id: subnet.ipv6_cidr for subnet in world.subnets if subnet.ipv6_cidr}
    described = aws.client("ec2").describe_subnets(SubnetIds=list(wanted))["Subnets"]
    blocks = {subnet["SubnetId"]: subnet["Ipv6CidrBlockAssociationSet"] for subnet in described}
    assert wanted == {subnet_id: block["Ipv6CidrBlock"] for subnet_id, (block,) in blocks.items()}
    assert {"associated"} == {block["Ipv6CidrBlockState"]["State"] for (block,) in blocks.values()}


def test_the_vpcs_overlap_and_the_rest_is_varied(world):
    """Every CIDR occurs in both VPCs; there are two zones, IPv6 and secondary addresses, and idle interfaces."""
    by_vpc = {vpc: [s.cidr for s in world.subnets if s.vpc_id == vpc] for vpc in {s.vpc_id for s in world.subnets}}
    first, second = by_vpc.values()
    assert first == second
    assert len(world.subnets) == 6
    assert len({subnet.zone_id for subnet in world.subnets}) == 2
    assert {1, 2} == {len(interface.ipv4) for interface in world.interfaces}
    assert {0, 1} == {len(interface.ipv6) for interface in world.interfaces}
    assert {True, False} == {interface.idle for interface in world.interfaces}
    for interface in world.interfaces:
        for address in (*interface.ipv4, *interface.ipv6):
            cidr = interface.subnet.ipv6_cidr if ":" in address else interface.subnet.cidr
            assert ipaddress.ip_address(address) in ipaddress.ip_network(cidr)


def test_every_vpc_has_a_flow_log_into_a_log_group_of_its_own(aws, world):
    """DescribeFlowLogs names the log group and the format of both VPCs."""
    logs = aws.client("ec2").describe_flow_logs()["FlowLogs"]
    expected = {(subnet.vpc_id, subnet.log_group, worlds.LOG_FORMAT) for subnet in world.subnets}
    assert expected == {(log["ResourceId"], log["LogGroupName"], log["LogFormat"]) for log in logs}
    assert {"/vpc/shop/flow-logs", "/vpc/lab/flow-logs"} == {subnet.log_group for subnet in world.subnets}


def test_what_is_put_is_what_the_shards_hold(aws, world):
    """Every accepted envelope is read back once, byte by byte, from one of two shards."""
    kinesis = aws.client("kinesis")
    records = Traffic(world, random.Random(1)).step(1_800_000_000, 60, 500)
    accepted = put(kinesis, world.stream, pack(records, world, event_ids(), events=5))
    shards = [shard["ShardId"] for shard in kinesis.list_shards(StreamName=world.stream)["Shards"]]
    stored = []
    for shard in shards:
        start = kinesis.get_shard_iterator(StreamName=world.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        stored += kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]
    assert len(shards) == 2
    assert sorted(envelope.data for envelope in accepted) == sorted(record["Data"] for record in stored)


def test_a_child_program_reaches_it_by_the_environment_alone(aws, world):
    """A boto3 client made from `environment` needs no other setting."""
    code = "import boto3; print(boto3.client('kinesis').list_streams()['StreamNames'])"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **aws.environment()}, capture_output=True, text=True, check=True
    )
    assert f"['{world.stream}']\n" == done.stdout


def test_one_that_dies_says_why():
    """The error carries the status and the last words of the process."""
    code = "import sys; sys.exit('no module named moto')"
    with pytest.raises(DemoError, match=r"(?s)ended with status 1.*no module named moto"):
        EmbeddedAWS(argv=(sys.executable, "-c", code)).__enter__()


def test_one_that_stays_silent_is_given_up():
    """A server that does not answer in time is an error, and is stopped."""
    aws = EmbeddedAWS(patience=0.2, argv=(sys.executable, "-c", "import sys; sys.stdin.read()"))
    aws.start()
    pid = aws.pid
    with pytest.raises(DemoError, match=r"has not answered within 0\.2 s"):
        aws.wait_ready()
    aws.stop()
    assert not alive(pid)


def test_waiting_ends_when_asked_to_stop():
    """Whoever is asked to stop need not wait for the first answer."""
    aws = EmbeddedAWS(argv=(sys.executable, "-c", "import sys; sys.stdin.read()"))
    aws.start()
    aws.wait_ready(lambda: True)
    aws.stop()


def test_it_ends_with_a_parent_that_is_killed():
    """A parent that dies of SIGKILL leaves no server behind."""
    code = (
        "import time; from kcl_flowlog.demo.aws import EmbeddedAWS\n"
        "with EmbeddedAWS() as aws: print(aws.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert eventually(lambda: not alive(pid))


def test_reading_stays_fast_behind_many_records(aws):
    """Behind 10,000 records in a shard, the next read takes less than a tenth of a second."""
    kinesis = aws.client("kinesis")
    kinesis.create_stream(StreamName="long", ShardCount=1)
    for _ in range(20):
        kinesis.put_records(StreamName="long", Records=[{"Data": b"x", "PartitionKey": "k"}] * 500)
    (shard,) = kinesis.list_shards(StreamName="long")["Shards"]
    latest = kinesis.get_shard_iterator(StreamName="long", ShardId=shard["ShardId"], ShardIteratorType="LATEST")

    def read():
        begin = time.perf_counter()
        assert kinesis.get_records(ShardIterator=latest["ShardIterator"])["Records"] == []
        return time.perf_counter() - begin

    assert min(read() for _ in range(10)) < 0.1


def test_an_action_that_is_denied_is_refused_as_ec2_refuses_it():
    """The product has to be seen without a permission, too; all else is permitted."""
    with EmbeddedAWS(denied=("DescribeNetworkInterfaces",)) as aws:
        ec2 = aws.client("ec2")
        assert ec2.describe_vpcs()["Vpcs"]
        with pytest.raises(ClientError) as refusal:
            ec2.describe_network_interfaces()

    assert is_denied(refusal.value)
