"""AWS for a fleet, on this machine: strict stand-ins for Kinesis and DynamoDB, and moto for EC2.

kinesis-local validates, limits and reshards as Kinesis does. Amazon's DynamoDB Local holds the leases. The first run
downloads both into build/stand-ins. Each member reaches them through two gates, which can make them fail.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from tests.fleet.gate import Gate, Gates
from tests.support.downloads import FOLDER, download, download_with_npm
from tests.support.ports import reserve_port

RECIPES = Path(__file__).resolve().parent / "standins"
# Seconds until a stand-in listens.
PATIENCE = 300.0


def install() -> None:
    """Download the stand-ins if they are missing. Needs npm, Maven and a JRE."""
    for tool in ("node", "npm", "mvn", "java"):
        if shutil.which(tool) is None:
            raise SystemExit(
                f"The stand-ins need {tool}; on Debian: apt-get install nodejs npm maven default-jre-headless"
            )
    download_with_npm("kinesis", RECIPES)
    pom, folder = RECIPES / "pom.xml", FOLDER / "dynamodb"
    download(
        "dynamodb", ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    )


class StandIns:
    """All stand-ins for AWS, as a context manager."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self.ec2 = EmbeddedAWS()
        self.region = self.ec2.region
        self.kinesis_port, self._tls_port, self._dynamodb_port = (reserve_port() for _ in range(3))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> StandIns:
        install()
        self._stack.__enter__()
        try:
            self._stack.enter_context(self.ec2)
            self._start_kinesis()
            self._start_dynamodb()
            for port in (self.kinesis_port, self._dynamodb_port):
                _wait_for_port(port)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def new_gates(self) -> Gates:
        """Return gates for one more member."""
        ports = (self._dynamodb_port, self.kinesis_port)
        return Gates(*(self._stack.enter_context(Gate(port)) for port in ports))

    def environment(self, gates: Gates | None = None) -> dict[str, str]:
        """Return the environment that makes a program use only these stand-ins, through `gates` if given."""
        kinesis = gates.kinesis.port if gates else self.kinesis_port
        dynamodb = gates.dynamodb.port if gates else self._dynamodb_port
        return {
            **self.ec2.environment(),
            "AWS_ENDPOINT_URL_KINESIS": f"http://127.0.0.1:{kinesis}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{dynamodb}",
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client that never retries: a repeated put would store its records twice."""
        ports = {"kinesis": self.kinesis_port, "dynamodb": self._dynamodb_port}
        if service not in ports:
            return self.ec2.client(service)
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{ports[service]}",
            region_name=self.region,
            aws_access_key_id="demo",
            aws_secret_access_key="demo",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=120, proxies={}),
        )

    def freeze(self, name: str) -> None:
        """Stop the process of `kinesis` or `dynamodb` until `thaw`."""
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a stopped process go on."""
        self.processes[name].send_signal(signal.SIGCONT)

    def _start_kinesis(self) -> None:
        ports = {"KINESIS_MOCK_PLAIN_PORT": str(self.kinesis_port), "KINESIS_MOCK_TLS_PORT": str(self._tls_port)}
        # kinesis-local reads its settings from the working directory.
        folder = FOLDER / "kinesis" / "node_modules" / "kinesis-local"
        limits = {"AWS_REGION": self.region, "LOG_LEVEL": "ERROR", "SHARD_LIMIT": "50"}
        self._start("kinesis", ["node", "main.js"], folder, {**ports, **limits})

    def _start_dynamodb(self) -> None:
        folder = FOLDER / "dynamodb"
        argv = ["java", "-Xmx256m", f"-Djava.library.path={folder}", "-cp", f"{folder}/*"]
        argv += ["software.amazon.dynamodb.services.local.main.ServerRunner", "-inMemory", "-disableTelemetry"]
        self._start("dynamodb", [*argv, "-port", str(self._dynamodb_port)], self._directory, {})

    def _start(self, name: str, argv: Sequence[str], folder: Path, environ: dict[str, str]) -> None:
        log = self._stack.enter_context((self._directory / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            argv, cwd=folder, env={**os.environ, **environ}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        self.processes[name] = process
        self._stack.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.send_signal(signal.SIGCONT)
    process.wait()


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
