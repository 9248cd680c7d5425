"""An AWS on this machine: EC2, Kinesis, DynamoDB and CloudWatch Logs at one endpoint.

`EmbeddedAWS` starts and stops the process of `aws_server`. All of its data is in
memory and ends with it. Fails with `DemoError`, which quotes the last output of
the process.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

from kcl_flowlog.demo.errors import DemoError, last_output

HOST = "127.0.0.1"
REGION = "eu-west-1"
NAT_DESCRIPTION = "Interface for NAT Gateway"
"""How the description of a NAT gateway's interface begins."""


class EmbeddedAWS:
    """The process that plays AWS, as a context manager.

    `denied` names EC2 actions that it refuses. `patience` is the time in seconds
    until its first answer; `argv` is the command of the server, for tests.
    """

    def __init__(
        self,
        region: str = REGION,
        patience: float = 180.0,
        argv: tuple[str, ...] = (),
        denied: Sequence[str] = (),
    ) -> None:
        self.region = region
        self._patience = patience
        deny = (part for action in denied for part in ("--deny", action))
        self._argv = argv or (sys.executable, "-m", "kcl_flowlog.demo.aws_server", *deny)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._output: IO[bytes] | None = None

    def __enter__(self) -> EmbeddedAWS:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """The URL of every service, without a path."""
        return f"http://{HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """The process id; raises `DemoError` if the process does not run."""
        if self._process is None:
            raise DemoError("The embedded AWS is not started.")
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """Return the variables with which a program talks to this AWS and to no other."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": HOST,
            "no_proxy": HOST,
            "CBOR_ENABLED": "false",  # moto reads the Java client's requests only as JSON
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client of `service` that talks to this AWS."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id="demo",
            aws_secret_access_key="demo",  # noqa: S106 - nobody checks it
            # A retry after a lost answer could store a record twice without the tally's knowledge.
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60, proxies={}),
        )

    def start(self) -> None:
        """Start the process without waiting for it; its requests queue until it serves."""
        # The process inherits the bound socket: a port that is free now may be taken a moment later.
        with socket.create_server((HOST, 0), backlog=128) as listener:
            self._port = listener.getsockname()[1]
            self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop()
            self._process = subprocess.Popen(
                [*self._argv, "--fd", str(listener.fileno())],
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,  # Ctrl-C goes to the demo only, which stops this process last
                env={**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"},  # loading them takes a second
            )

    def wait_ready(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Wait for the first answer, or until `should_stop` returns true.

        Raises `DemoError` if the process ends or does not answer in time.
        """
        deadline = time.monotonic() + self._patience
        while not should_stop():
            self.check()
            if _answers(self._port):
                return
            if time.monotonic() > deadline:
                raise DemoError(f"The embedded AWS did not answer within {self._patience:g} s.{self._last_output()}")

    def check(self) -> None:
        """Raise `DemoError` if the process has ended."""
        status = self._process.poll() if self._process else None
        if status is not None:
            raise DemoError(f"The embedded AWS ended with status {status}.{self._last_output()}")

    def stop(self, patience: float = 5.0) -> None:
        """End the process by closing its stdin; kill it after `patience` seconds. A second call does nothing."""
        process, self._process = self._process, None
        if process is not None:
            try:
                process.communicate(timeout=patience)  # closes its stdin
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._output is not None:
            self._output.close()
            self._output = None

    def _last_output(self) -> str:
        if self._output is None:
            return ""
        self._output.seek(0)
        return last_output(self._output.read())


def _answers(port: int, timeout: float = 0.5) -> bool:
    """Return whether the server answers an HTTP request within `timeout` seconds."""
    try:
        with socket.create_connection((HOST, port), timeout) as connection:
            connection.sendall(b"GET /moto-api/data.json HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
    except TimeoutError:
        return False
    except OSError:
        time.sleep(0.05)  # refused or reset at once: don't let the caller spin
        return False
