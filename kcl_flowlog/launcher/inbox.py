"""The launcher's end of the messages: one thread for each connected processor.

Logs go to the module logging, denials to the stream of denials, signs of life
into `shards()`, claims to whoever registers them. A shard is held for as long
as its processor is connected, so nothing has to be cleaned up after one that
was killed.

A message that can't be understood is a fault of ours: the connection is
closed, which ends that processor. When denials can't be written any more,
`broken` tells why, and the launcher must stop. `deaths` counts processors
that hung up without a farewell.
"""

from __future__ import annotations

import logging
import os
import socketserver
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from kcl_flowlog.commits.claims import Permit
from kcl_flowlog.commits.messages import (
    REFUSED,
    Denials,
    Farewell,
    Heartbeat,
    Hello,
    Log,
    Message,
    UnknownInterfaces,
    acknowledged,
)

log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(Message).decode


@dataclass
class Shard:
    """A shard held now, as its processor last told; `heard_at` is when, on the monotonic clock."""

    shard_id: str
    pid: int
    claimed_at: float
    heard_at: float
    heartbeat: Heartbeat | None = None

    @property
    def last_callback_at(self) -> float:
        """When the KCL last called the processor, in Unix seconds."""
        return self.heartbeat.at if self.heartbeat is not None else self.claimed_at


class Inbox:
    """Listens on a Unix socket for the processors of this instance."""

    def __init__(
        self,
        path: Path,
        denials: BinaryIO,
        register: Callable[[Hello], Permit | None],
        on_unknown_interfaces: Callable[[], None],
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._denials = denials
        self._register = register
        self._on_unknown_interfaces = on_unknown_interfaces
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._denials_lock = threading.Lock()
        self._shards: dict[int, Shard] = {}
        self._thread: threading.Thread | None = None
        self._writing = 0
        self.deaths = 0
        self.broken: OSError | None = None
        path.unlink(missing_ok=True)
        # Only this user's processes may report here.
        mask = os.umask(0o177)
        try:
            self._server = _Server(str(path), self._serve)
        finally:
            os.umask(mask)

    def start(self) -> None:
        """Listen in threads of our own."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="messages", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, or never begin to."""
        if self._thread is not None:
            self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Know of no processor any more: their daemon is gone, and they with it. Their hanging up is no death then."""
        with self._lock:
            self._shards.clear()

    def shards(self) -> list[Shard]:
        """Return the shards held now."""
        with self._lock:
            return sorted(self._shards.values(), key=lambda shard: shard.shard_id)

    @property
    def is_writing(self) -> bool:
        """Whether denials are being written right now; their processors wait for that."""
        return self._writing > 0

    def _serve(self, lines: Iterable[bytes], answer: Callable[[bytes], Any]) -> None:
        connection = id(lines)
        try:
            for line in lines:
                self._take(connection, _decode(line), answer)
        except msgspec.DecodeError as error:
            log.error("A processor sent a message that is none: %s", error)
        except ConnectionError as error:
            log.debug("A processor hung up: %s", error)
        finally:
            with self._lock:
                if self._shards.pop(connection, None) is not None:
                    self.deaths += 1

    def _take(self, connection: int, message: Message, answer: Callable[[bytes], Any]) -> None:
        if isinstance(message, Heartbeat):
            with self._lock:
                shard = self._shards.get(connection)
                if shard is not None:
                    shard.heartbeat = message
                    shard.heard_at = self._monotonic()
        elif isinstance(message, Denials):
            if self._write(message):
                answer(acknowledged())
        elif isinstance(message, Log):
            logger = logging.getLogger("kcl_flowlog.processor")
            logger.log(logging.getLevelName(message.level.upper()), message.text, extra={"fields": message.fields})
        elif isinstance(message, Hello):
            with self._lock:
                self._shards[connection] = Shard(message.shard_id, message.pid, self._clock(), self._monotonic())
            permit = self._register(message)
            answer(acknowledged(sorted(permit.poison)) if permit is not None else REFUSED)
        elif isinstance(message, Farewell):
            with self._lock:
                self._shards.pop(connection, None)
        elif isinstance(message, UnknownInterfaces):
            self._on_unknown_interfaces()

    def _write(self, message: Denials) -> bool:
        text = b"".join(bytes(line) + b"\n" for line in message.lines)
        with self._lock:
            self._writing += 1
        try:
            with self._denials_lock:
                self._denials.write(text)
                self._denials.flush()
        except OSError as error:
            self.broken = error
            return False
        finally:
            with self._lock:
                self._writing -= 1
        return True


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    # Handlers end with their processors, which the launcher ends itself.
    block_on_close = False

    def __init__(self, path: str, serve: Callable[[Iterable[bytes], Callable[[bytes], Any]], None]) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                serve(self.rfile, self.wfile.write)

        super().__init__(path, Handler)
