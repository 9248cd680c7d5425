"""The processor's end of the messages, and how it ends if the launcher or the daemon is gone or stuck."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from kcl_flowlog.commits.messages import REFUSED, Denials, Disconnected, Hello, Log, Messenger, acknowledged


class Launcher:
    """Accepts one processor, reads on demand; `daemon` is the writing end of the protocol's input."""

    def __init__(self, path: Path) -> None:
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen()
        self.protocol_input, self.daemon = os.pipe()
        self.messenger = Messenger.connect(str(path), self.protocol_input)
        self.connection, _ = self._server.accept()

    def hang_up_the_daemon(self) -> None:
        os.close(self.daemon)
        self.daemon = -1

    def read(self, size: int) -> bytes:
        """Read this many bytes, in small pieces."""
        got = b""
        while len(got) < size:
            got += self.connection.recv(4096)
        return got

    def close(self) -> None:
        self.messenger.close()
        self.connection.close()
        self._server.close()
        os.close(self.protocol_input)
        if self.daemon >= 0:
            os.close(self.daemon)


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    made = Launcher(tmp_path / "messages.sock")
    yield made
    made.close()


# More than a socket buffers.
LARGE = Log("info", "x" * 4_000_000, {})


def test_a_message_larger_than_the_socket_arrives_whole(launcher: Launcher) -> None:
    """It is sent in the pieces that fit, while the launcher reads."""
    sender = threading.Thread(target=launcher.messenger.send, args=(LARGE,))
    sender.start()

    line = launcher.read(len(msgspec.json.encode(LARGE)) + 1)

    sender.join()
    assert LARGE == msgspec.json.decode(line, type=Log)


@pytest.mark.parametrize(
    "say",
    [
        lambda messenger: messenger.send(LARGE),
        lambda messenger: messenger.request(Denials([msgspec.Raw(b"{}")])),
        lambda messenger: messenger.request(Hello("shardId-0", 1, "token", "TRIM_HORIZON", 0)),
    ],
    ids=["by a launcher that does not read", "by denials", "by a claim"],
)
def test_a_blocked_processor_ends_with_its_daemon(launcher: Launcher, say: Callable[[Messenger], None]) -> None:
    """Or it would wait for ever, long after the daemon."""
    hangup = threading.Timer(0.2, launcher.hang_up_the_daemon)
    hangup.start()

    with pytest.raises(Disconnected, match=r"^The daemon hung up\.$"):
        say(launcher.messenger)

    hangup.join()


MANY = [str(number) * 12 for number in range(10)]
HELLO = Hello("shardId-0", 1, "token", "TRIM_HORIZON", 0)
ANSWERS: dict[str, tuple[list[bytes], list[str] | None]] = {
    "a yes": ([acknowledged()], []),
    "a yes with words": ([acknowledged(["a1b2", "c3d4"])], ["a1b2", "c3d4"]),
    "a yes in pieces": ([b"o", b"k a1", b"b2 ", b"c3d4\n"], ["a1b2", "c3d4"]),
    "a yes with many words": ([acknowledged(MANY)], MANY),
    "a no": ([REFUSED], None),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_request_returns_its_answer(launcher: Launcher, case: str) -> None:
    """The words that follow a yes, None for a no, however the answer arrives."""
    pieces, expected = ANSWERS[case]
    got: list[list[str] | None] = []
    requester = threading.Thread(target=lambda: got.append(launcher.messenger.request(HELLO)))
    requester.start()
    request = launcher.read(len(msgspec.json.encode(HELLO)) + 1)

    for piece in pieces:
        launcher.connection.sendall(piece)
    requester.join()

    assert HELLO == msgspec.json.decode(request, type=Hello)
    assert [expected] == got


def test_the_answers_are_lines() -> None:
    """Which the launcher writes and the processor reads, perhaps of different versions."""
    assert b"ok\n" == acknowledged()
    assert b"ok a1b2 c3d4\n" == acknowledged(["a1b2", "c3d4"])
    assert b"no\n" == REFUSED


def test_a_log_message_has_texts_as_fields(launcher: Launcher) -> None:
    """Whatever was given, even the name of a file that is not UTF-8."""
    launcher.messenger.log("warning", "Checkpoints throttled", shard_id="shardId-0", tries=5, path="/\udce9")

    expected = {
        "type": "log",
        "level": "warning",
        "text": "Checkpoints throttled",
        "fields": {"shard_id": "shardId-0", "tries": "5", "path": r"/\udce9"},
    }
    assert expected == msgspec.json.decode(launcher.read(len(msgspec.json.encode(expected)) + 1))


def test_a_launcher_that_hangs_up_ends_the_wait(launcher: Launcher) -> None:
    """Without an answer it is unknown whether the denial was written."""
    message = Denials([msgspec.Raw(b"{}")])

    def read_and_hang_up() -> None:
        launcher.read(len(msgspec.json.encode(message)) + 1)
        launcher.connection.close()

    hang_up = threading.Thread(target=read_and_hang_up)
    hang_up.start()

    with pytest.raises(Disconnected, match=r"^The launcher hung up\.$"):
        launcher.messenger.request(message)

    hang_up.join()


def test_the_daemons_requests_do_not_end_a_wait(launcher: Launcher) -> None:
    """Only its hang-up does: the next message of the daemon may be there already."""
    os.write(launcher.daemon, b"the next request")
    launcher.connection.sendall(acknowledged())

    assert [] == launcher.messenger.request(HELLO)


def test_a_missing_launcher_is_an_error(tmp_path: Path) -> None:
    """The processor must end; nothing is left open, or a leak would warn here."""
    with pytest.raises(FileNotFoundError):
        Messenger.connect(str(tmp_path / "nobody.sock"), 0)
