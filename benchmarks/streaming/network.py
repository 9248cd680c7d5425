"""The AWS around the stream: subnets, interfaces and the stream's name in the embedded AWS, and an instance that reads.

The instance is `python -m kcl_flowlog run` of this checkout or of another, started by its command; so the checkouts may
differ in everything but the command line.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from streaming.traffic import Interface

_STOP = 90.0
# Below the ports that Linux gives to whoever asks for any port.
_PORTS = range(10_000, 30_000)
_PROPERTIES = (
    # A new application gets its shards after some seconds instead of a minute and more.
    "shardSyncIntervalMillis=1000",
    "leaseAssignmentIntervalMillis=2000",
    # What is released is read at once.
    "idleTimeBetweenReadsInMillis=200",
)


def make_network(aws: EmbeddedAWS, subnets: int, per_subnet: int) -> list[Interface]:
    """Make a VPC of some /24 subnets with some interfaces in each; return the interfaces."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    interfaces = []
    for number in range(subnets):
        subnet = ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=aws.region + "abc"[number % 3]
        )["Subnet"]["SubnetId"]
        for host in range(per_subnet):
            address = f"10.0.{number}.{host + 10}"
            made = ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress=address)["NetworkInterface"]
            interfaces.append(Interface(made["NetworkInterfaceId"], address))
    return interfaces


class Instance:
    """A running instance, with its log next to its state directory."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process = process
        self._port = port
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def metrics_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/metrics"

    def check(self) -> None:
        """Raise `RuntimeError` if it has ended."""
        if self._process.poll() is not None:
            self.fail(f"kcl-flowlog run ended with {self._process.returncode}")

    def fail(self, problem: str) -> NoReturn:
        """Raise `RuntimeError` with this problem and the end of the log."""
        raise RuntimeError(f"{problem}; the end of its log:\n{self._log.read_text()[-3000:]}")

    def stop(self) -> None:
        """Stop it in order; kill it if that takes too long."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def _reserved_port() -> Iterator[int]:
    """Yield a free port that no test and no other benchmark gets meanwhile."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket(socket.AF_UNIX) as claim:
            try:
                # An abstract name, as the tests use it: it belongs to one process, and ends with it.
                claim.bind(f"\0kcl-flowlog-test-port-{port}")
                socket.create_server(("127.0.0.1", port)).close()
            except OSError:
                continue
            yield port
            return


@contextmanager
def running(
    checkout: Path, folder: Path, stream: str, aws: EmbeddedAWS, kinesis: str, options: list[str]
) -> Iterator[Instance]:
    """Run an instance of the package in `checkout` that reads `stream` from the endpoint `kinesis`."""
    folder.mkdir(parents=True)
    with _reserved_port() as port:
        yield from _running(port, checkout, folder, stream, aws, kinesis, options)


def _running(
    port: int, checkout: Path, folder: Path, stream: str, aws: EmbeddedAWS, kinesis: str, options: list[str]
) -> Iterator[Instance]:
    settings = {
        "--stream": stream,
        "--application": f"{stream}-reader",
        "--state-dir": str(folder / "state"),
        "--initial-position": "trim-horizon",
        "--final-scrape-timeout": "0s",
        "--checkpoint-interval": "100ms",  # a commit after each batch, so that the end of a part is known
        "--web.listen-address": f"127.0.0.1:{port}",
    }
    argv = [
        *(sys.executable, "-m", "kcl_flowlog", "run"),
        *(word for pair in settings.items() for word in pair),
        *(word for pair in _PROPERTIES for word in ("--kcl-property", pair)),
        *options,
    ]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KCL_FLOWLOG_"))}
    # Without this, the KCL would talk JSON to Kinesis; in production it talks CBOR.
    variables = {name: value for name, value in aws.environment().items() if name != "CBOR_ENABLED"}
    environment = {**inherited, **variables, "PYTHONPATH": str(checkout), "AWS_ENDPOINT_URL_KINESIS": kinesis}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=checkout, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    instance = Instance(process, port, log)
    try:
        yield instance
    finally:
        instance.stop()
