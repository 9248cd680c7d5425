"""The program of a processor: its streams, its exit codes, and what it reports."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import acknowledged
from kcl_flowlog.commits.processor_settings import PROCESSOR_SETTINGS_VARIABLE
from kcl_flowlog.processor import __main__ as program
from kcl_flowlog.processor import faults
from tests.support.conversation import GOOD, acknowledge, as_line, initialize, payload, records, say
from tests.support.ledgers import sums
from tests.support.paths import ROOT
from tests.support.processors import Driver

GRANTED = ({"action": "checkpoint", "sequenceNumber": "101", "subSequenceNumber": 0},)
BATCH = records((101, payload(GOOD)))


class Launcher:
    """Answers each claim with a yes, and keeps all messages; `silent` hangs up at the first message instead."""

    def __init__(self, path: Path, is_silent: bool = False) -> None:
        self.messages: list[dict[str, Any]] = []
        self._is_silent = is_silent
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                self.messages.append(message)
                if self._is_silent:
                    return
                if message["type"] in ("hello", "denials"):
                    connection.sendall(acknowledged(["NORMAL"]))

    def received(self) -> list[dict[str, Any]]:
        """Return all messages, once the processor has hung up."""
        self._thread.join()
        return self.messages

    def close(self) -> None:
        self._server.close()


class Program:
    """Runs the program in this process, with a whole conversation as its input."""

    def __init__(self, directory: Path, ledger: Ledger, is_silent: bool = False) -> None:
        self.ledger = ledger
        driver = Driver(directory, ledger, messages=str(directory / "messages.sock"), checkpoint_interval=0.0)
        self.inventory = driver.inventory
        self._directory = directory
        self._settings = directory / "processor.json"
        self._settings.write_bytes(msgspec.json.encode(driver.settings))
        self.environ = {PROCESSOR_SETTINGS_VARIABLE: str(self._settings)}
        self.launcher = Launcher(directory / "messages.sock", is_silent)

    def run(self, *steps: tuple[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        """Return the exit code and the answers."""
        requests, answers = self._directory / "requests", self._directory / "answers"
        requests.write_bytes(b"".join(as_line(message) for _, message in steps))
        with requests.open("rb", buffering=0) as source, answers.open("w") as target:
            code = program.run(self.environ, source, target)
        return code, [json.loads(line) for line in answers.read_text().splitlines() if line]

    def close(self) -> None:
        self.launcher.close()


@pytest.fixture
def made(tmp_path: Path, ledger: Ledger) -> Iterator[Callable[..., Program]]:
    """Return a function that makes a program."""
    programs: list[Program] = []

    def make(is_silent: bool = False) -> Program:
        programs.append(Program(tmp_path, ledger, is_silent))
        return programs[-1]

    yield make
    for each in programs:
        each.close()


def status(action: str) -> dict[str, Any]:
    return {"action": "status", "responseFor": action}


def test_the_end_of_the_requests_is_the_end_of_the_processor(made: Callable[..., Program]) -> None:
    """Exit code 0, after a farewell."""
    ran = made()

    code, answers = ran.run(initialize(), BATCH, acknowledge("101"), say("leaseLost"))

    assert 0 == code
    assert [status("initialize"), *GRANTED, status("processRecords"), status("leaseLost")] == answers
    assert [(1, 10, 1000)] == sums(ran.ledger)
    assert ["hello", "log", "heartbeat", "log", "farewell"] == [message["type"] for message in ran.launcher.received()]


def test_an_exception_ends_the_processor_before_its_answer(made: Callable[..., Program]) -> None:
    """Exit code 1; the launcher learns what happened, and there is no farewell."""
    ran = made()

    code, answers = ran.run(initialize(), BATCH, acknowledge("101", "InvalidStateException"))

    assert 1 == code
    assert [status("initialize"), *GRANTED] == answers
    last = ran.launcher.received()[-1]
    assert ("log", "error", "Processor failed") == (last["type"], last["level"], last["text"])
    assert "The KCL refused a checkpoint: InvalidStateException." == last["fields"]["error"]
    assert last["fields"]["trace"].startswith("Traceback (most recent call last):")


def test_a_payload_that_is_no_base64_ends_the_processor(made: Callable[..., Program]) -> None:
    """The daemon writes none, and nothing of it may be skipped silently."""
    action, message = records((101, payload(GOOD)))
    data = message["records"][0]["data"]
    message["records"][0]["data"] = f"{data[:8]}\\n{data[8:]}"
    ran = made()

    assert (1, [status("initialize")]) == ran.run(initialize(), (action, message))
    assert [] == sums(ran.ledger)


def test_an_exception_without_a_text_is_reported_by_its_class(
    made: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the error is never empty."""

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    ran = made()
    monkeypatch.setattr(program, "ShardProcessor", fail)

    assert (1, []) == ran.run(initialize())
    assert "MemoryError" == ran.launcher.received()[-1]["fields"]["error"]


def test_without_a_launcher_the_error_goes_to_stderr(
    made: Callable[..., Program], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the daemon logs it."""
    ran = made(is_silent=True)

    assert (1, []) == ran.run(initialize())

    assert "Traceback (most recent call last):" in capsys.readouterr().err


def test_faults_are_demanded_through_the_environment(
    made: Callable[..., Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For tests of what a death costs."""
    done: list[str] = []
    monkeypatch.setitem(faults.ACTIONS, "note", lambda: done.append("done"))
    ran = made()
    ran.environ[faults.VARIABLE] = str(tmp_path / "fault")
    (tmp_path / "fault").write_text("prepared note")

    ran.run(initialize(), BATCH, acknowledge("101"))

    assert ["done"] == done


STRAY = """
import os, sys
from kcl_flowlog.processor.__main__ import take_over_protocol
requests, answers = take_over_protocol()
print("stray print", flush=True)
os.write(1, b"stray write\\n")
os.system("echo stray child")
assert sys.stdin.read() == ""
assert os.read(0, 10) == b""
answers.write(requests.readline().decode().upper())
answers.flush()
"""


def test_stray_output_never_reaches_the_protocol() -> None:
    """Not that of Python, of a C library or of a child process; and none of them reads the requests."""
    ran = subprocess.run(
        [sys.executable, "-c", STRAY], cwd=ROOT, input=b"request \xc3\xa9\n", capture_output=True, check=True
    )

    assert "REQUEST É\n".encode() == ran.stdout
    assert [b"stray print", b"stray write", b"stray child"] == ran.stderr.splitlines()


@contextmanager
def replaced_streams(names: tuple[str, ...] = ("stdin", "stdout", "stderr")) -> Iterator[tuple[BinaryIO, ...]]:
    """Replace descriptors 0 to 2 by temporary files, and put them and `sys` back at the end."""
    saved = [os.dup(number) for number in range(3)]
    objects = [getattr(sys, name) for name in names]
    with ExitStack() as stack:
        files = tuple(stack.enter_context(tempfile.TemporaryFile()) for _ in names)
        files[0].write("request é\r\n".encode())
        files[0].seek(0)
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        try:
            yield files
        finally:
            for number, name in enumerate(names):
                if getattr(sys, name) is not objects[number] and name == "stdin":
                    sys.stdin.close()
                setattr(sys, name, objects[number])
                os.dup2(saved[number], number)
                os.close(saved[number])


def test_the_streams_of_the_protocol_are_taken_over(capfd: pytest.CaptureFixture[str]) -> None:
    """As above, in this process: lines kept as they are, stdin at its end, and no descriptor left open."""
    with capfd.disabled(), replaced_streams() as (_, stdout, stderr):
        before = len(os.listdir("/proc/self/fd"))
        requests, answers = program.take_over_protocol()
        with requests, answers:
            request = requests.readline()
            answers.write("answer é\n")
            answers.flush()
            os.write(1, b"stray")
            is_at_end = sys.stdin.read() == "" and os.path.samestat(os.fstat(0), os.stat(os.devnull))
            is_redirected = sys.stdout is sys.stderr
            # Two for the protocol, and one for sys.stdin.
            opened = len(os.listdir("/proc/self/fd")) - before
        stdout.seek(0)
        stderr.seek(0)
        written = (stdout.read(), stderr.read())

    assert "request é\r\n".encode() == request
    assert ("answer é\n".encode(), b"stray") == written
    assert is_at_end
    assert is_redirected
    assert 3 == opened


def test_the_daemon_may_write_ahead(capfd: pytest.CaptureFixture[str]) -> None:
    """A pipe of the usual 64 kB would be empty or full most of the time."""
    with capfd.disabled(), replaced_streams():
        theirs, ours = os.pipe()
        os.dup2(theirs, 0)
        requests, answers = program.take_over_protocol()
        with requests, answers:
            room = fcntl.fcntl(ours, fcntl.F_GETPIPE_SZ)
        os.close(theirs)
        os.close(ours)

    assert program.ROOM == room


def test_main_exits_with_the_code_of_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, with signals to stop ignored: the daemon alone stops a processor."""
    ignored: list[int] = []
    codes: list[int] = []
    streams = (object(), object())
    monkeypatch.setattr(
        signal, "signal", lambda number, action: ignored.append(number) if action is signal.SIG_IGN else None
    )
    monkeypatch.setattr(program, "take_over_protocol", lambda: streams)
    monkeypatch.setattr(program, "run", lambda *given: 7 if given == (os.environ, *streams) else 1)
    monkeypatch.setattr(os, "_exit", codes.append)

    program.main()

    assert [7] == codes
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} == set(ignored)
