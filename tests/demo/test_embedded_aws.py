"""The process of the embedded AWS: its start, its end, and how programs reach it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import psutil
import pytest

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.envelopes import event_ids, pack, put
from kcl_flowlog.demo.errors import DemoError
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.world import World
from tests.support.instance import is_alive
from tests.support.waiting import eventually

SILENT = (sys.executable, "-c", "import sys; sys.stdin.read()")


def test_the_shards_hold_what_is_put(aws: EmbeddedAWS, world: World) -> None:
    """Each accepted envelope is in one of the two shards once, byte by byte."""
    kinesis = aws.client("kinesis")
    records = Traffic(world, random.Random(1)).step(1_800_000_000, 60, 500)
    accepted = put(kinesis, world.stream, pack(records, world, event_ids(), events=5))
    shards = [shard["ShardId"] for shard in kinesis.list_shards(StreamName=world.stream)["Shards"]]
    stored = []
    for shard in shards:
        start = kinesis.get_shard_iterator(StreamName=world.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        stored += kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]
    assert 2 == len(shards)
    assert sorted(envelope.data for envelope in accepted) == sorted(record["Data"] for record in stored)


def test_a_program_needs_only_the_environment(aws: EmbeddedAWS, world: World) -> None:
    """A boto3 client made from `environment` needs no other setting."""
    code = "import boto3; print(*boto3.client('kinesis').list_streams()['StreamNames'])"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **aws.environment()}, capture_output=True, text=True, check=True
    )
    assert world.stream in done.stdout.split()


def test_a_server_that_dies_says_why() -> None:
    """The error has the status and the last output of the process."""
    code = "import sys; sys.exit('no module named moto')"
    with pytest.raises(DemoError, match=r"(?s)ended with status 1.*no module named moto"):
        EmbeddedAWS(argv=(sys.executable, "-c", code)).__enter__()


def test_a_silent_server_is_an_error() -> None:
    """A server that does not answer in time is an error, and `stop` ends it."""
    aws = EmbeddedAWS(patience=0.2, argv=SILENT)
    aws.start()
    process = psutil.Process(aws.pid)
    with pytest.raises(DemoError, match=r"did not answer within 0\.2 s"):
        aws.wait_ready()
    aws.stop()
    assert not is_alive(process)


def test_a_request_to_stop_ends_the_wait() -> None:
    """A user who stops the demo does not have to wait for the first answer."""
    aws = EmbeddedAWS(argv=SILENT)
    aws.start()
    aws.wait_ready(lambda: True)
    aws.stop()


def test_the_server_ends_with_its_parent() -> None:
    """A parent that dies of SIGKILL leaves no server behind."""
    code = (
        "import sys; from kcl_flowlog.demo.embedded_aws import EmbeddedAWS\n"
        "with EmbeddedAWS() as aws: print(aws.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        assert is_alive(server)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert eventually(lambda: not is_alive(server))
