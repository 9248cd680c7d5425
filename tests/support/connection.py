"""A processor's end of the messages, without the processor."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec

from kcl_flowlog.commits.messages import Message
from tests.support.waiting import PATIENCE


class Connection:
    """A connection to the socket of an inbox."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(str(path))
        self._answers = self._socket.makefile("rb")

    def tell(self, message: Message) -> None:
        self.send(msgspec.json.encode(message) + b"\n")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> bytes:
        """Return the next answer, empty if the connection was closed instead."""
        return self._answers.readline()

    def ask(self, message: Message) -> bytes:
        self.tell(message)
        return self.answer()

    def hang_up(self) -> None:
        self._answers.close()
        self._socket.close()
