"""The messages from a processor to the launcher, and the processor's end of their connection.

A processor's stdout is the KCL's protocol, and the daemon logs its stderr
twice. So logs, denials and heartbeats go through a Unix socket of the
launcher, one JSON object per line. Three kinds get one line as an answer: a
`Hello` once the claim is registered or refused, a `ClaimNote` and a `Denials`
once it is written.

The launcher's end is `kcl_flowlog.launcher.inbox`. If the launcher is gone,
sending raises `OSError`, which must end the process.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from types import TracebackType

import msgspec


class Hello(msgspec.Struct, tag="hello"):
    """The processor has claimed its shard in the ledger, and begins after this position.

    `suspect` is the digest of the record that the previous processor here died of, empty if none.
    """

    shard_id: str
    pid: int
    token: str
    sequence_number: str
    sub_sequence_number: int
    suspect: str = ""


class Heartbeat(msgspec.Struct, tag="heartbeat"):
    """The KCL called the processor at `at`. Times are Unix seconds, 0 if unknown so far.

    `lag` is how many seconds the shard's reader is behind the newest record.
    """

    at: float
    lag: float
    last_record_at: float
    last_checkpoint_at: float


class Log(msgspec.Struct, tag="log"):
    """One event for the log; `level` is a name of the module logging."""

    level: str
    text: str
    fields: dict[str, str]


class Denials(msgspec.Struct, tag="denials"):
    """Rejected flows, each a JSON object that becomes one line of stdout."""

    lines: list[msgspec.Raw]


class UnknownInterfaces(msgspec.Struct, tag="unknown_interfaces"):
    """The inventory lacks these interfaces: look them up in EC2 soon."""

    interface_ids: list[str]


class ClaimNote(msgspec.Struct, tag="claim_note"):
    """What the processor's claim shall say from now on: a value of `claims.Care`, and the digest of a record in hand.

    The answer's words are empty if it is written, `LATER` if the lease table can't be written now.
    """

    shard_id: str
    token: str
    care: str
    in_hand: str = ""


class Farewell(msgspec.Struct, tag="farewell"):
    """The processor ends in order; a processor that hangs up without this has died."""


Message = Hello | Farewell | Heartbeat | Log | ClaimNote | Denials | UnknownInterfaces

REFUSED = b"no\n"
"""The answer to a claim that is not registered, or to a note in a claim that is not the shard's last any more."""
LATER = "later"

_encode = msgspec.json.Encoder().encode


def acknowledged(words: Iterable[str] = ()) -> bytes:
    """Return the answer that says yes, followed by `words`, which contain no spaces."""
    return " ".join(("ok", *words)).encode() + b"\n"


def _encodable(text: str) -> str:
    """Return the text without surrogates, which the name of a file may have, and which can't be sent."""
    return text.encode(errors="backslashreplace").decode()


class Disconnected(OSError):
    """The launcher or the daemon hung up while the processor waited for the launcher."""


class Messenger:
    """The processor's connection to the launcher.

    `protocol_input` is the descriptor of the protocol's input: if the daemon
    hangs up there, waiting for the launcher ends with `Disconnected`.
    """

    def __init__(self, connection: socket.socket, protocol_input: int) -> None:
        self._socket = connection
        self._protocol_input = protocol_input

    @classmethod
    def connect(cls, path: str, protocol_input: int) -> Messenger:
        """Connect to the launcher's socket at `path`."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
        except BaseException:
            connection.close()
            raise
        return cls(connection, protocol_input)

    def send(self, message: Message) -> None:
        """Send a message; wait for a launcher that is slow to read."""
        rest = memoryview(_encode(message) + b"\n")
        while rest:
            try:
                rest = rest[self._socket.send(rest, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self._wait(select.POLLOUT)

    def request(self, message: Hello | ClaimNote | Denials) -> list[str] | None:
        """Send a message and wait for its answer; return the words that follow a yes, None for a no."""
        self.send(message)
        answer = b""
        while not answer.endswith(b"\n"):
            self._wait(select.POLLIN)
            part = self._socket.recv(64)
            if not part:
                raise Disconnected("The launcher hung up.")
            answer += part
        yes, *words = answer.decode().split()
        return words if yes == "ok" else None

    def log(self, level: str, text: str, **fields: object) -> None:
        """Send one event for the log; `level` is a name of the module logging."""
        self.send(Log(level, text, {name: _encodable(str(value)) for name, value in fields.items()}))

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self._socket, event)
        poll.register(self._protocol_input, 0)  # only its hang-up, which poll always reports
        for descriptor, _ in poll.poll():
            if descriptor == self._protocol_input:
                raise Disconnected("The daemon hung up.")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def __enter__(self) -> Messenger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
