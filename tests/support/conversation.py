"""Conversations between a scripted MultiLangDaemon and a real processor, as data.

A conversation is a list of steps: messages that the daemon sends, messages
that the processor has to answer, and events such as a kill. The processor is
the real program, with a real ledger and a real inbox; only the daemon and the
lease table are fakes. It is forked, unless a test starts it itself.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.processor_settings import PROCESSOR_SETTINGS_VARIABLE, ProcessorSettings
from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.counting.inventory_packing import pack
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.subnets import Interface, Inventory, Subnet
from kcl_flowlog.launcher.claim_notes import ClaimNotes
from kcl_flowlog.launcher.inbox import Inbox
from kcl_flowlog.launcher.registrar import Registrar
from kcl_flowlog.processor.faults import VARIABLE
from tests.support.forked import Forked
from tests.support.lease_fakes import HERE, FakeLeases

SHARD = "shardId-000000000000"
_PROGRAM = "kcl_flowlog.processor"
PATIENCE = 300.0
"""How many seconds to wait for the processor, however slow the machine; its death ends the wait at once."""
GOOD = "2 1 eni-a 10.0.1.10 198.51.100.7 40000 443 6 10 1000 1700000000 1700000060 ACCEPT OK"
DENIED = "2 1 eni-a 198.51.100.7 10.0.1.10 40000 3389 6 1 40 1700000000 1700000060 REJECT OK"
ODD = "2 1 eni-a 10.0.1.10 198.51.100.7 40000 443 6 ten 1000 1700000000 1700000060 ACCEPT OK"

INVENTORY = Inventory(
    1.0,
    (Subnet("subnet-a", "vpc-1", "az1", "10.0.1.0/24"),),
    (Interface("eni-a", "subnet-a", "vpc-1", ("10.0.1.10",)),),
)


def payload(*lines: str, log_stream: str = "eni-a-all") -> bytes:
    """Return a gzipped envelope with these lines."""
    events = [{"id": str(number), "timestamp": 0, "message": line} for number, line in enumerate(lines)]
    envelope = {"messageType": "DATA_MESSAGE", "logStream": log_stream, "logEvents": events}
    return gzip.compress(json.dumps(envelope).encode())


# Messages of the daemon.


def initialize(at: str = "TRIM_HORIZON") -> tuple[str, Any]:
    """Initialize the processor at this checkpoint."""
    return "say", {"action": "initialize", "shardId": SHARD, "sequenceNumber": at, "subSequenceNumber": 0}


def records(*batch: tuple[int, bytes]) -> tuple[str, Any]:
    """Deliver records: each a sequence number and a payload."""
    messages = [
        {
            "action": "record",
            "data": base64.b64encode(data).decode(),
            "partitionKey": "p",
            "sequenceNumber": str(sequence),
            "subSequenceNumber": 0,
            "approximateArrivalTimestamp": 1700000100000,
        }
        for sequence, data in batch
    ]
    return "say", {"action": "processRecords", "records": messages, "millisBehindLatest": 0}


def as_line(message: Any) -> bytes:
    """Return a message as the daemon writes it."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def part_of(step: tuple[str, Any], size: int) -> tuple[str, Any]:
    """Write only so many bytes of a message, or if below 0, all but so many."""
    return "write", as_line(step[1])[:size]


def damaged(step: tuple[str, Any], place: int) -> tuple[str, Any]:
    """Write a message with another byte at this place."""
    line = bytearray(as_line(step[1]))
    line[place] ^= 1
    return "write", bytes(line)


def acknowledge(at: str | None, error: str | None = None) -> tuple[str, Any]:
    """Answer a checkpoint: granted, or refused with an exception, given by its simple name."""
    return "say", {"action": "checkpoint", "sequenceNumber": at, "subSequenceNumber": 0, "error": error}


def say(action: str) -> tuple[str, Any]:
    """Send a message that is only its action."""
    return "say", {"action": action}


# Answers of the processor, and events.


def done(action: str) -> tuple[str, Any]:
    """Expect the status that answers an action."""
    return "hear", {"action": "status", "responseFor": action}


def asks(at: str | None) -> tuple[str, Any]:
    """Expect a checkpoint at a sequence number, or if None of all that was delivered."""
    return "hear", {"action": "checkpoint", "sequenceNumber": at, "subSequenceNumber": None if at is None else 0}


def elsewhere(at: str) -> tuple[str, Any]:
    """Let another instance take the shard and begin at this checkpoint."""
    return "elsewhere", Position(at)


HANG_UP = ("hang up", None)
KILL = ("kill", None)


def ends(code: int) -> tuple[str, Any]:
    """Expect the processor to end with this exit code, and without another message."""
    return "ends", code


class Stage:
    """A state directory with ledger, inventory and inbox, and one processor after another."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.directory = directory
        self.fault = directory / "fault"
        self.denials = io.BytesIO()
        self.inventory = directory / "inventory.packed"
        self.inventory.write_bytes(pack(INVENTORY))
        self._settings = {
            "ledger": str(directory / "ledger.sqlite3"),
            "inventory": str(self.inventory),
            "attempts": str(directory / "attempts"),
            "messages": str(directory / "messages.sock"),
            "flow_log_formats": (),
            "log_groups": (),
            "deduplicate": True,
            "watched_ports": ("3389",),
            "payload_limit": 1_000_000,
            # Due at once: every batch is committed.
            "checkpoint_interval": 0.0,
            "log_deny": "json",
            "log_deny_rate": 0,
            "log_deny_burst": 1000,
            "max_subnets": 5000,
            "max_unlisted_subnets": 500,
            **settings,
        }
        self.leases = FakeLeases()
        # Whom the lease table names as owner when the daemon initializes a processor.
        self.owner = HERE
        ledger = directory / "ledger.sqlite3"
        # While the registrar waits, the KCL renews the leases.
        registrar = Registrar(self.leases, lambda: Ledger(ledger), HERE, DamageNote(), lambda: True, self.leases.renew)
        notes = ClaimNotes(self.leases, HERE)
        self.inbox = Inbox(
            directory / "messages.sock", self.denials, registrar.register, lambda _: None, write_note=notes.write
        )
        self.inbox.start()
        self.ledger = Ledger(directory / "ledger.sqlite3")
        self._child: subprocess.Popen[bytes] | Forked | None = None
        self._heard = b""

    def start(self, generation: int | None = None, is_forked: bool = True) -> None:
        """Start a processor; without `generation`, of a new generation. If not forked, as the daemon does it."""
        generation = self.ledger.begin_generation() if generation is None else generation
        settings = ProcessorSettings(generation=generation, **self._settings)
        path = self.directory / "processor.json"
        path.write_bytes(msgspec.json.encode(settings))
        self._heard = b""
        environ = {**os.environ, PROCESSOR_SETTINGS_VARIABLE: str(path), VARIABLE: str(self.fault)}
        with (self.directory / "stderr").open("ab") as stderr:
            if is_forked:
                self._child = Forked.with_pipes(_PROGRAM, environ, stderr.fileno())
            else:
                self._child = subprocess.Popen(
                    [sys.executable, "-m", _PROGRAM],
                    env=environ,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    bufsize=0,
                )

    def play(self, *steps: tuple[str, Any]) -> None:
        """Go through a conversation; a step after the end of a processor starts the next processor."""
        for kind, what in steps:
            if kind == "elsewhere":
                self.leases.claim_elsewhere(SHARD, what)
                continue
            if self._child is None:
                self.start()
            self._step(kind, what)

    def _step(self, kind: str, what: Any) -> None:
        child = self._child
        assert child is not None
        assert child.stdin is not None
        assert child.stdout is not None
        if kind == "say":
            if isinstance(what, dict) and what["action"] == "initialize":
                self.leases.assign(SHARD, self.owner, Position(what["sequenceNumber"]))
            child.stdin.write(as_line(what))
        elif kind == "write":
            child.stdin.write(what)
        elif kind == "hear":
            assert what == json.loads(self.hear())
        elif kind == "kill":
            child.kill()
            self._end()
        elif kind == "hang up":
            child.stdin.close()
        elif kind == "ends":
            assert "" == self.hear()
            assert what == child.wait(PATIENCE)
            self._end()

    def hear(self) -> str:
        """Return the next line of the protocol that is not blank, an empty text at its end."""
        assert self._child is not None
        assert self._child.stdout is not None
        while True:
            line, newline, rest = self._heard.partition(b"\n")
            if newline:
                self._heard = rest
                if line:
                    return line.decode()
                continue
            ready, _, _ = select.select([self._child.stdout], [], [], PATIENCE)
            assert ready, f"no answer within {PATIENCE:.0f} s; {(self.directory / 'stderr').read_text()}"
            part = self._child.stdout.read(65536)
            if not part:
                return self._heard.decode()
            self._heard += part

    def is_silent(self, seconds: float) -> bool:
        """Return whether the processor sends nothing for this many seconds."""
        assert self._child is not None
        assert self._child.stdout is not None
        return not self._heard.strip() and not select.select([self._child.stdout], [], [], seconds)[0]

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.wait(PATIENCE)
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the processor."""
        assert self._child is not None
        self._child.send_signal(number)

    @property
    def peak_memory(self) -> int:
        """Return the most bytes of memory that the processor has held."""
        assert self._child is not None
        status = Path(f"/proc/{self._child.pid}/status").read_text().splitlines()
        (line,) = (line for line in status if "VmHWM" in line)
        return int(line.split()[1]) * 1024

    @property
    def totals(self) -> Totals:
        """Return what is published."""
        return self.ledger.totals()

    @property
    def flows(self) -> int:
        """Return how many flows are published."""
        return sum(total.flows for total in self.totals.traffic)

    def count(self, name: str, label: str = "") -> int:
        """Return a published count, 0 if it was never added to."""
        return self.totals.counts.get((name, label), 0)

    def close(self) -> None:
        """Kill the processor, if any, and stop listening."""
        if self._child is not None:
            self._child.kill()
            self._end()
        self.inbox.stop()
        self.ledger.close()
