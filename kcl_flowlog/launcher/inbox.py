"""The launcher's end of the messages: a Unix socket, with one thread for each connected processor.

Logs go to the module logging, denials to their output, heartbeats into `shards()`, claims to `register`. A shard is
held as long as its processor is connected, so nothing has to be cleaned up after a processor that was killed.

An invalid message is a defect in this package: the inbox closes the connection, which ends the processor. If denials
can't be written any more, `denials_error` holds the reason, and the launcher must stop. Must not know what a claim
needs, nor when a processor hangs.
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
    ClaimNote,
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
_processor_log = logging.getLogger("kcl_flowlog.processor")

_decode = msgspec.json.Decoder(Message).decode

_POLL_SECONDS = 0.2


@dataclass
class HeldShard:
    """A shard held now. `claimed_at` is in Unix seconds, `heard_at`, the time of its last sign of life, monotonic."""

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
    """Receives the messages of this instance's processors, from `start` until `stop`.

    `register` decides about a claim, and may block for long; it runs in the processor's thread, as do `write_note`,
    which returns the words of the answer or None for a no, and `on_unknown_interfaces`.
    """

    def __init__(
        self,
        path: Path,
        denials: BinaryIO,
        register: Callable[[Hello], Permit | None],
        on_unknown_interfaces: Callable[[list[str]], None],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        write_note: Callable[[ClaimNote], list[str] | None],
    ) -> None:
        self._path = path
        self._denials = denials
        self._register = register
        self._write_note = write_note
        self._on_unknown_interfaces = on_unknown_interfaces
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._denials_lock = threading.Lock()
        self._shards: dict[int, HeldShard] = {}
        self._server: _Server | None = None
        self._writing = 0
        self.deaths = 0
        """How many processors have hung up without a farewell since the last `forget`."""
        self.denials_error: OSError | None = None

    def start(self) -> None:
        """Listen, and serve in threads. Raises `OSError`."""
        self._path.unlink(missing_ok=True)
        # Only processes of this user may connect.
        mask = os.umask(0o177)
        try:
            self._server = _Server(str(self._path), self._serve)
        finally:
            os.umask(mask)
        threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), name="messages", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; do nothing if it never did."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        self._path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Forget all processors and their deaths: their daemon has ended, so it is no death if one hangs up now."""
        with self._lock:
            self._shards.clear()
            self.deaths = 0

    def shards(self) -> list[HeldShard]:
        """Return the shards held now."""
        with self._lock:
            return sorted(self._shards.values(), key=lambda shard: shard.shard_id)

    @property
    def is_writing_denials(self) -> bool:
        """Whether denials are being written right now, which their processors wait for."""
        return self._writing > 0

    def _serve(self, lines: Iterable[bytes], answer: Callable[[bytes], Any]) -> None:
        connection = id(lines)
        try:
            for line in lines:
                self._handle(connection, _decode(line), answer)
        except msgspec.DecodeError as error:
            log.error(
                "A processor sent an invalid message; closing its connection", extra={"fields": {"error": str(error)}}
            )
        except ConnectionError as error:
            log.debug("A processor hung up", extra={"fields": {"error": str(error)}})
        finally:
            with self._lock:
                if self._shards.pop(connection, None) is not None:
                    self.deaths += 1

    def _handle(self, connection: int, message: Message, answer: Callable[[bytes], Any]) -> None:
        if isinstance(message, Heartbeat):
            self._note_heartbeat(connection, message)
        elif isinstance(message, Denials):
            if self._write_denials(message):
                answer(acknowledged())
        elif isinstance(message, Log):
            level = logging.getLevelName(message.level.upper())
            _processor_log.log(level, message.text, extra={"fields": message.fields})
        elif isinstance(message, Hello):
            with self._lock:
                self._shards[connection] = HeldShard(message.shard_id, message.pid, self._clock(), self._monotonic())
            permit = self._register(message)
            answer(acknowledged([permit.care.name, *sorted(permit.poison)]) if permit is not None else REFUSED)
        elif isinstance(message, ClaimNote):
            words = self._write_note(message)
            answer(acknowledged(words) if words is not None else REFUSED)
        elif isinstance(message, Farewell):
            with self._lock:
                self._shards.pop(connection, None)
        elif isinstance(message, UnknownInterfaces):
            self._on_unknown_interfaces(message.interface_ids)

    def _note_heartbeat(self, connection: int, heartbeat: Heartbeat) -> None:
        with self._lock:
            shard = self._shards.get(connection)
            if shard is not None:
                shard.heartbeat = heartbeat
                shard.heard_at = self._monotonic()

    def _write_denials(self, message: Denials) -> bool:
        text = b"".join(bytes(line) + b"\n" for line in message.lines)
        with self._lock:
            self._writing += 1
        try:
            with self._denials_lock:
                self._denials.write(text)
                self._denials.flush()
        except OSError as error:
            self.denials_error = error
            return False
        finally:
            with self._lock:
                self._writing -= 1
        return True


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    # A handler ends with its processor, which the launcher ends itself.
    block_on_close = False

    def __init__(self, path: str, serve: Callable[[Iterable[bytes], Callable[[bytes], Any]], None]) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                serve(self.rfile, self.wfile.write)

        super().__init__(path, Handler)
