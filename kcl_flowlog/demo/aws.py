"""An AWS for one machine: EC2, Kinesis, DynamoDB and CloudWatch Logs at one endpoint.

It is moto behind hypercorn, in a process of its own: the KCL's Kinesis client
speaks HTTP/2 without TLS, which moto's own server can't. Everything is in
memory and gone with the process. `EmbeddedAWS` starts and stops it; the
process also stops by itself once its stdin is closed, so it never outlives
its parent, however that dies.

Fails with `DemoError`, whose sentence ends with what the process said.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import io
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import IO, Any

from kcl_flowlog.demo.errors import DemoError, last_words

HOST = "127.0.0.1"
REGION = "eu-west-1"

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class EmbeddedAWS:
    """The process that stands for AWS, as a context manager.

    `denied` names actions of EC2 that it does not permit. `patience` is how
    many seconds it may take to answer for the first time; `argv` is the
    command that serves, which a test may replace.
    """

    def __init__(
        self,
        region: str = REGION,
        patience: float = 60.0,
        argv: tuple[str, ...] = (),
        denied: Sequence[str] = (),
    ) -> None:
        self.region = region
        self._patience = patience
        deny = (part for action in denied for part in ("--deny", action))
        self._argv = argv or (sys.executable, "-m", "kcl_flowlog.demo.aws", *deny)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._stderr: IO[bytes] | None = None

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
        """The process id; only while it runs."""
        if self._process is None:
            raise DemoError("The embedded AWS has not been started.")
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """Return what a program needs in its environment to talk to this AWS and to no other."""
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
            # A request repeated after a lost answer would be stored twice, behind the back of the truth.
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60, proxies={}),
        )

    def start(self) -> None:
        """Start the process without waiting for it; its requests queue until it serves."""
        # Bound here and handed over: a free port found by closing it again may be gone a moment later.
        with socket.create_server((HOST, 0), backlog=128) as listener:
            self._port = listener.getsockname()[1]
            self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop()
            self._process = subprocess.Popen(
                [*self._argv, "--fd", str(listener.fileno())],
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,
                stdout=self._stderr,
                stderr=self._stderr,
                start_new_session=True,  # Ctrl-C is for the demo, which stops this one last
                env={**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"},  # they cost a second
            )

    def wait_ready(self, asked_to_stop: Callable[[], bool] = lambda: False) -> None:
        """Wait for the first answer, or until `asked_to_stop` says so.

        Raises `DemoError` when the process has ended or stays silent.
        """
        deadline = time.monotonic() + self._patience
        while not asked_to_stop():
            self.check()
            if _answers(self._port):
                return
            if time.monotonic() > deadline:
                raise DemoError(f"The embedded AWS has not answered within {self._patience:g} s.{self._last_words()}")

    def check(self) -> None:
        """Raise `DemoError` if the process has ended."""
        status = self._process.poll() if self._process else None
        if status is not None:
            raise DemoError(f"The embedded AWS has ended with status {status}.{self._last_words()}")

    def stop(self, patience: float = 5.0) -> None:
        """Close its stdin and wait for its end; kill it after `patience` seconds. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            try:
                process.communicate(timeout=patience)  # closes its stdin
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None

    def _last_words(self) -> str:
        if self._stderr is None:
            return ""
        self._stderr.seek(0)
        return last_words(self._stderr.read())


def _answers(port: int, timeout: float = 0.5) -> bool:
    """Tell whether the server answers an HTTP request within `timeout` seconds."""
    try:
        with socket.create_connection((HOST, port), timeout) as connection:
            connection.sendall(b"GET /moto-api/data.json HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
    except TimeoutError:
        return False
    except OSError:
        time.sleep(0.05)  # refused or reset at once: the caller's loop must not spin
        return False


def one_at_a_time(app: WSGI) -> WSGI:
    """Return `app` so that it serves one request at a time.

    moto's records and conditional writes are not safe among threads, and the
    leases live on conditional writes.
    """
    lock = threading.Lock()

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with lock:
            return list(app(environ, start_response))

    return serve


_REFUSAL = (
    b'<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>UnauthorizedOperation</Code>'
    b"<Message>You are not authorized to perform this operation.</Message></Error></Errors>"
    b"<RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"
)


def denying(app: WSGI, denied: frozenset[str]) -> WSGI:
    """Return `app` so that it refuses some actions of EC2, as it does without a permission."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if not denied.isdisjoint(action.decode() for action in re.findall(rb"(?:^|&)Action=(\w+)", body)):
            start_response("403 Forbidden", [("Content-Type", "text/xml")])
            return [_REFUSAL]
        return app({**environ, "wsgi.input": io.BytesIO(body)}, start_response)

    return serve


def _serve(listener: socket.socket, denied: Collection[str]) -> None:
    """Serve on `listener` until stdin is closed."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 0.0
    config.errorlog = "-"
    config.loglevel = "WARNING"
    app = one_at_a_time(denying(DomainDispatcherApplication(_backend), frozenset(denied)))
    asyncio.run(serve(app, config, mode="wsgi", shutdown_trigger=_end_of_stdin))


def _backend(service: Any) -> Any:
    """Return moto's application for one service; it asks for each when that is first called."""
    from moto.moto_server.werkzeug_app import create_backend_app

    if service == "ec2":
        _repair_subnets()
    return create_backend_app(service)


def _repair_subnets() -> None:
    """Let DescribeSubnets say that an IPv6 block is `associated`, as EC2 does.

    moto 5.2.5 wraps that word twice, so that clients read "{'State': 'associated'}".
    """
    subnets: Any = importlib.import_module("moto.ec2.models.subnets")
    original = getattr(subnets.Subnet, "ipv6_cidr_block_association_set", None)
    if isinstance(original, property) and original.fget is not None:
        blocks = original.fget

        def repaired(subnet: Any) -> list[dict[str, Any]]:
            return [{**block, "ipv6CidrBlockState": {"state": "associated"}} for block in blocks(subnet)]

        subnets.Subnet.ipv6_cidr_block_association_set = property(repaired)


async def _end_of_stdin() -> None:
    """Return once stdin is closed, which also the death of the parent does."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()

    def wait() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=wait, daemon=True).start()
    await closed.wait()


def main(argv: list[str] | None = None) -> None:
    """Serve AWS on a port of the loopback, or on a listening socket that was handed over."""
    parser = argparse.ArgumentParser(prog="kcl_flowlog.demo.aws", description=main.__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="port to listen on")
    where.add_argument("--fd", type=int, help="file descriptor of a listening socket")
    parser.add_argument("--deny", action="append", default=[], help="action of EC2 that is not permitted")
    options = parser.parse_args(argv)
    listener = socket.create_server((HOST, options.port)) if options.fd is None else socket.socket(fileno=options.fd)
    _serve(listener, options.deny)


if __name__ == "__main__":
    main()
