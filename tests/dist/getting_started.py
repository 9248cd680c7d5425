"""Run docs/getting-started.md as it stands there, on a machine without the product: `make dist-test`.

Needs root. A mount namespace gives this process its own /etc, /opt, /var/lib and checkout, whose changes end with it,
and a network namespace keeps everything after the installation on the loopback. An embedded AWS takes the place of AWS;
the service runs under another systemd. The blocks of other pages that say `embedded AWS` run at the end.

Exits with 1 and the command's output if a command fails, or if nothing is counted in time.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.envelopes import Envelope, put
from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.tally import Tally
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.world import Interface, World
from kcl_flowlog.demo.world_builder import LOG_FORMAT, build_world
from tests.dist.systemd import INIT, Systemd
from tests.support.pages import Block, all_blocks, blocks
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "getting-started.md"
REGION = "eu-central-1"
STREAM = "flow-logs"
STATE = Path("/var/lib/kcl-flowlog")
SETTINGS = Path("/etc/kcl-flowlog")
HERE_TOO = ("fresh machine", "run")
AWS = "embedded AWS"
UNTIL_IT_COUNTS = f"{AWS}, until it counts"
UNTIL_NEXT_SECTION = f"{AWS}, until the next section"
# Folders whose changes end with the namespace.
COVERED = ("/etc", "/opt", "/var/lib")
# What an installed product leaves there; the machine shall be one without it.
REMAINS = (STATE, SETTINGS, Path("/opt/kcl-flowlog"))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Seconds, for something that is only slow if it is broken.
PATIENCE = 600.0
_FLOW = "40112 443 6 10 840 1764000000 1764000058 ACCEPT OK"
"""The end of a line, from srcport on."""


class Failure(Exception):
    """A command that failed, or counts that do not come."""


def main(stage: str = "begin", *rest: str) -> int:
    """Run a stage in namespaces that the stage before has made."""
    if os.geteuid() != 0:
        print(f"Not tried, as it needs root: {PAGE.relative_to(ROOT)}")
        return 0
    if not INIT.exists():
        print(f"Not tried, as systemd is not installed: {PAGE.relative_to(ROOT)}")
        return 0
    stages: dict[str, Callable[..., int]] = {"begin": _begin, "install": _install, "count": _count}
    try:
        return stages[stage](*rest)
    except Failure as failure:
        print(f"The pages do not tell the truth: {failure}", file=sys.stderr)
        return 1


def _begin() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        return _next_stage(["unshare", "--mount"], "install", scratch)


def _install(scratch: str) -> int:
    """Cover the folders, remove what the product left there, and run the blocks that need the network."""
    _run(["mount", "-t", "tmpfs", "tmpfs", scratch])
    for number, folder in enumerate((*COVERED, str(ROOT))):
        upper, work = (Path(scratch, f"{kind}{number}") for kind in ("upper", "work"))
        upper.mkdir()
        work.mkdir()
        options = f"lowerdir={folder},upperdir={upper},workdir={work}"
        _run(["mount", "-t", "overlay", "overlay", "-o", options, folder])
    for remains in REMAINS:
        shutil.rmtree(remains, ignore_errors=True)
    os.chdir(ROOT)
    session = Session({})
    for block in _blocks(PAGE):
        if block.tested in HERE_TOO:
            session.run(block)
    return _next_stage(["unshare", "--net"], "count", scratch)


def _count(scratch: str) -> int:
    """Run the blocks that need AWS: those of the page, then those of other pages."""
    _bring_loopback_up()
    os.chdir(ROOT)
    with ExitStack() as stack:
        aws = stack.enter_context(EmbeddedAWS(REGION))
        world = build_world(aws.client, REGION)
        send = partial(put, aws.client("kinesis"), STREAM)
        producer = Producer(world, Traffic(world, random.Random(0)), send, rate=50.0)
        stack.callback(producer.stop)
        producer.start()
        systemd = stack.enter_context(Systemd(Path(scratch, "systemd"), COVERED))
        session = Session(aws.environment(), systemd.command("systemctl"))
        stack.callback(session.end_background)
        SETTINGS.mkdir()
        (SETTINGS / "environment").write_text("".join(f"{name}={text}\n" for name, text in aws.environment().items()))
        for block in _blocks(PAGE):
            if block.tested.startswith(AWS):
                session.run(block)
        send([_of_an_unknown_format(world.interfaces[0])])
        _wait_until((STATE / "dead-letters.jsonl").exists, "dead letters")
        _make_format_known(aws.client("ec2"), world.interfaces[0])
        _make_file_of_s3(world)
        for block in all_blocks():
            if block.page != PAGE.relative_to(ROOT).as_posix() and block.tested == AWS:
                session.run(block)
        systemd.run("stop", "kcl-flowlog")
        ended = systemd.run("show", "kcl-flowlog", "--property=Result,NRestarts")
        if ended.split() != ["Result=success", "NRestarts=0"]:
            raise Failure(f"the service ended with {ended}")
    print("Every command did what the pages say.")
    return 0


class Session:
    """A shell that knows what earlier blocks exported; `variables` come on top of this process's.

    `systemctl` is the command that takes the place of that.
    """

    def __init__(self, variables: dict[str, str], systemctl: Sequence[str] = ()) -> None:
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "KCL_", "PYTHON"))}
        self._environment = {**kept, **variables, "PATH": PATH}
        self._exports = [
            line for block in _blocks(PAGE) for line in block.text.splitlines() if line.startswith("export ")
        ]
        self._systemctl = f'systemctl() {{ {shlex.join(systemctl)} "$@"; }}' if systemctl else ""
        self._background: subprocess.Popen[bytes] | None = None
        self._section = ""

    def run(self, block: Block) -> None:
        """Run a block; raise `Failure` if it fails."""
        if self._section != _section(block):
            self.end_background()
            self._section = _section(block)
        print(f"{block.place}: {block.tested}", flush=True)
        script = "\n".join(["set -euo pipefail", *self._exports, self._systemctl, *block.commands()])
        if block.tested == UNTIL_NEXT_SECTION:
            program = "\n".join([*self._exports, f"exec {block.commands()[0]}"])
            self._background = subprocess.Popen(["bash", "-c", program], env=self._environment)
        elif block.tested == UNTIL_IT_COUNTS:
            _wait_until(lambda: self._counts(script), f"counts of {block.place}")
        else:
            done = subprocess.run(["bash", "-c", script], env=self._environment, check=False)
            if done.returncode:
                raise Failure(f"{block.place} ended with {done.returncode}")

    def end_background(self) -> None:
        """End what runs in the background, as Ctrl-C does; raise `Failure` unless it exits with 0."""
        process, self._background = self._background, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            if process.wait(PATIENCE):
                raise Failure(f"the command in the background ended with {process.returncode}")

    def _counts(self, script: str) -> bool:
        if self._background is not None and self._background.poll() is not None:
            raise Failure(f"the command in the background ended with {self._background.returncode}")
        done = subprocess.run(
            ["bash", "-c", script], env=self._environment, stdout=subprocess.PIPE, text=True, check=False
        )
        values = [float(number) for number in re.findall(r" ([0-9.e+]+)$", done.stdout, re.MULTILINE)]
        return done.returncode == 0 and sum(values) > 0


def _blocks(page: Path) -> Iterator[Block]:
    return (block for block in blocks(page) if block.is_shell)


def _section(block: Block) -> str:
    """Return the last heading above a block."""
    above = (ROOT / block.page).read_text(encoding="utf-8").splitlines()[: block.line]
    return [line for line in above if line.startswith("#")][-1]


def _wait_until(is_true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_true():
        if time.monotonic() > deadline:
            raise Failure(f"no {what} after {PATIENCE:g} s")
        time.sleep(1)


def _of_an_unknown_format(interface: Interface) -> Envelope:
    """Return an envelope with a line that no flow log of its log group has the format of."""
    message = {
        "messageType": "DATA_MESSAGE",
        "owner": interface.account_id,
        "logGroup": interface.subnet.log_group,
        "logStream": f"{interface.id}-all",
        "subscriptionFilters": ["to-kinesis"],
        "logEvents": [
            {"id": "1", "timestamp": 0, "message": f"{interface.id} 203.0.113.9 {interface.ipv4[0]} {_FLOW}"}
        ],
    }
    return Envelope(f"{interface.id}-all", gzip.compress(json.dumps(message).encode()), Tally())


def _make_format_known(ec2: Any, interface: Interface) -> None:
    """Make a flow log with that format: dead letters can be replayed then."""
    ec2.create_flow_logs(
        ResourceIds=[interface.id],
        ResourceType="NetworkInterface",
        TrafficType="ALL",
        LogDestinationType="cloud-watch-logs",
        LogGroupName=interface.subnet.log_group,
        DeliverLogsPermissionArn=f"arn:aws:iam::{interface.account_id}:role/flow-logs",
        LogFormat="${interface-id} ${srcaddr} ${dstaddr} " + LOG_FORMAT.partition("${dstaddr} ")[2],
    )


def _make_file_of_s3(world: World) -> None:
    """Make a file as AWS writes it to S3, for the README's `replay`: a header, and lines."""
    header = re.sub(r"[${}]", "", LOG_FORMAT)
    lines = [f"2 {each.account_id} {each.id} 203.0.113.9 {each.ipv4[0]} {_FLOW}" for each in world.interfaces]
    text = "\n".join([header, *lines, ""])
    Path("123456789012_vpcflowlogs_eu-central-1_fl-0a_20251124T1600Z_0b.log.gz").write_bytes(
        gzip.compress(text.encode())
    )


def _bring_loopback_up() -> None:
    """A new network namespace has a loopback device that is down."""
    up, set_flags = 0x1, 0x8914
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh", b"lo", up))


def _next_stage(namespace: list[str], stage: str, *rest: str) -> int:
    command = [*namespace, sys.executable, "-m", "tests.dist.getting_started", stage, *rest]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
