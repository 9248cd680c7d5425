"""What processors tell the launcher: the messages, and how they travel.

A processor's stdout is the KCL's protocol, and its stderr ends up twice in
the daemon's log. So logs, denials and signs of life go over a Unix socket of
the launcher's, one JSON object per line. Two kinds are answered by one line: a
`Hello` once it is known whether its processor may commit, with the marks of
the records to pass over; a `Denials` once it is written down.

This module is the processor's end and the form of the messages; the
launcher's end is `kcl_flowlog.launcher.inbox`. When the launcher is gone, sending
raises `OSError`, which must end the process.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from types import TracebackType

import msgspec


class Hello(msgspec.Struct, tag="hello"):
    """The processor has claimed its shard, with a token, and begins after this position.

    `suspect` is the mark of the record that the one before it, here, died of; empty where there is none.
    """

    shard_id: str
    pid: int
    token: str
    sequence_number: str
    sub_sequence_number: int
    suspect: str = ""


class Heartbeat(msgspec.Struct, tag="heartbeat"):
    """A callback of the KCL came, at `at`. Times are Unix seconds, 0 where there was none yet.

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
    """The inventory lacks some interface: read it again soon."""

    number: int


class Farewell(msgspec.Struct, tag="farewell"):
    """The processor ends as it should; one that hangs up without this has died."""


Message = Hello | Farewell | Heartbeat | Log | Denials | UnknownInterfaces

REFUSED = b"no\n"

_encode = msgspec.json.Encoder().encode


def acknowledged(words: Iterable[str] = ()) -> bytes:
    """Return the answer that says yes, and these words, which have no spaces."""
    return " ".join(("ok", *words)).encode() + b"\n"


class Disconnected(OSError):
    """The launcher or the daemon went away while the launcher was waited for."""


class Messenger:
    """The processor's connection to the launcher.

    `lifeline` is the descriptor of the protocol's input: when the daemon hangs
    up there, waiting for the launcher ends with `Disconnected`.
    """

    def __init__(self, path: str, lifeline: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._lifeline = lifeline

    def tell(self, message: Message) -> None:
        """Send a message; a launcher that does not read is waited for."""
        rest = memoryview(_encode(message) + b"\n")
        while rest:
            try:
                rest = rest[self._socket.send(rest, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self._wait(select.POLLOUT)

    def ask(self, message: Hello | Denials) -> list[str] | None:
        """Send what has an answer, and wait for it; return the words that came with a yes, None for a no."""
        self.tell(message)
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
        """Send one event for the log."""
        self.tell(Log(level, text, {name: str(value) for name, value in fields.items()}))

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self._socket, event)
        poll.register(self._lifeline, 0)  # only its hang-up, which needs no asking
        for descriptor, _ in poll.poll():
            if descriptor == self._lifeline:
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
