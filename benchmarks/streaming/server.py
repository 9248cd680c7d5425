"""Kinesis over HTTP/2 without TLS, as far as the KCL's client needs it, cheap enough not to be the bottleneck.

A general HTTP/2 server in Python spends more CPU time on ten megabytes than the KCL does. This server knows only what
that client sends, and hands large answers to the kernel without copying them again. It runs in a thread; a client
that breaks the rules loses its connection.
"""

from __future__ import annotations

import logging
import selectors
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable

from hpack import Decoder, Encoder

from streaming import cbor

log = logging.getLogger(__name__)

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 1, 1, 4, 8, 32
_INITIAL_WINDOW = 4
_FRAME = 16_384
_FRAMES_AT_A_TIME = 32
_READ = 1 << 16

Answer = Callable[[str, bytes], bytes]
"""Returns the body of the answer to a request, given its target and its body."""


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class _Request:
    def __init__(self) -> None:
        self.headers = b""
        self.target = ""
        self.body = b""


class _Response:
    def __init__(self, stream: int, body: bytes, window: int) -> None:
        self.stream = stream
        self.rest = memoryview(body)
        self.window = window


class _Connection:
    """One connection: what it has received, and what it still has to send."""

    def __init__(self, connection: socket.socket, answer: Answer) -> None:
        self._connection = connection
        self._answer = answer
        self._received = b""
        self._has_preface = False
        self._decoder = Decoder()
        self._encoder = Encoder()
        self._requests: dict[int, _Request] = {}
        self._responses: deque[_Response] = deque()
        self._early_windows: dict[int, int] = {}
        self._initial_window = 65_535
        self._window = 65_535
        self._out: deque[memoryview] = deque()
        self._put(_frame(_SETTINGS, 0, 0, struct.pack(">HIHI", 3, 1000, _INITIAL_WINDOW, 1 << 20)))
        self._put(_frame(_WINDOW, 0, 0, struct.pack(">I", 1 << 24)))

    @property
    def wants_to_send(self) -> bool:
        return bool(self._out) or (self._window > 0 and any(response.window > 0 for response in self._responses))

    def receive(self) -> bool:
        """Read what is there; return whether the connection is still open."""
        data = self._connection.recv(_READ)
        self._received += data
        if not self._has_preface and len(self._received) >= len(_PREFACE):
            if not self._received.startswith(_PREFACE):
                return False
            self._received = self._received[len(_PREFACE) :]
            self._has_preface = True
        while self._has_preface and len(self._received) >= 9:
            length = int.from_bytes(self._received[:3], "big")
            if len(self._received) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", self._received[3:9])
            payload, self._received = self._received[9 : 9 + length], self._received[9 + length :]
            self._take(kind, flags, stream & 0x7FFFFFFF, payload)
        return bool(data)

    def send(self) -> None:
        """Send as much as the socket takes."""
        if not self._out:
            self._frames_of_responses()
        if not self._out:
            return
        sent = self._connection.sendmsg([*self._out][: 2 * _FRAMES_AT_A_TIME])
        while sent:
            part = self._out.popleft()
            if sent < len(part):
                self._out.appendleft(part[sent:])
                return
            sent -= len(part)

    def _put(self, *parts: bytes | memoryview) -> None:
        self._out.extend(map(memoryview, parts))

    def _frames_of_responses(self) -> None:
        """Turn the next parts of responses into frames, a frame of each response in turn."""
        for _ in range(_FRAMES_AT_A_TIME):
            ready = next((each for each in self._responses if each.window > 0), None)
            if ready is None or self._window <= 0:
                return
            size = min(_FRAME, len(ready.rest), ready.window, self._window)
            is_last = size == len(ready.rest)
            head = struct.pack(">I", size)[1:] + struct.pack(">BBI", _DATA, _END_STREAM * is_last, ready.stream)
            self._put(head, ready.rest[:size])
            ready.rest = ready.rest[size:]
            ready.window -= size
            self._window -= size
            self._responses.remove(ready)
            if not is_last:
                self._responses.append(ready)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind in (_HEADERS, _CONTINUATION):
            self._take_headers(kind, flags, stream, payload)
        elif kind == _DATA:
            self._take_data(flags, stream, payload)
        elif kind == _SETTINGS and not flags & _ACK:
            self._take_settings(payload)
        elif kind == _PING and not flags & _ACK:
            self._put(_frame(_PING, _ACK, 0, payload))
        elif kind == _WINDOW:
            self._take_window(stream, int.from_bytes(payload, "big"))
        elif kind == _RESET:
            self._requests.pop(stream, None)
            self._responses = deque(each for each in self._responses if each.stream != stream)

    def _take_headers(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        request = self._requests.setdefault(stream, _Request())
        if kind == _HEADERS and flags & _PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        if kind == _HEADERS and flags & _PRIORITY:
            payload = payload[5:]
        request.headers += payload
        if flags & _END_HEADERS:
            headers = {str(name): str(value) for name, value in self._decoder.decode(request.headers)}
            request.target = headers.get("x-amz-target", "").rpartition(".")[2]
        if kind == _HEADERS and flags & _END_STREAM:
            self._respond(stream)

    def _take_data(self, flags: int, stream: int, payload: bytes) -> None:
        if payload:
            update = struct.pack(">I", len(payload))
            self._put(_frame(_WINDOW, 0, 0, update), _frame(_WINDOW, 0, stream, update))
        request = self._requests[stream]
        request.body += payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
        if flags & _END_STREAM:
            self._respond(stream)

    def _take_settings(self, payload: bytes) -> None:
        for key, value in struct.iter_unpack(">HI", payload):
            if key == _INITIAL_WINDOW:
                for response in self._responses:
                    response.window += value - self._initial_window
                self._initial_window = value
        self._put(_frame(_SETTINGS, _ACK, 0))

    def _take_window(self, stream: int, more: int) -> None:
        if stream == 0:
            self._window += more
            return
        for response in self._responses:
            if response.stream == stream:
                response.window += more
                return
        if stream in self._requests:
            self._early_windows[stream] = self._early_windows.get(stream, 0) + more

    def _respond(self, stream: int) -> None:
        request = self._requests.pop(stream)
        try:
            status, body = "200", self._answer(request.target, request.body)
        except (KeyError, ValueError) as error:
            log.error("Refused %s: %r", request.target, error)
            status, body = "400", cbor.encode({"__type": "InvalidArgumentException"})
        headers = [
            (":status", status),
            ("content-type", "application/x-amz-cbor-1.1"),
            ("content-length", str(len(body))),
            ("x-amzn-requestid", f"{stream:08d}"),
        ]
        self._put(_frame(_HEADERS, _END_HEADERS, stream, self._encoder.encode(headers)))
        window = self._initial_window + self._early_windows.pop(stream, 0)
        self._responses.append(_Response(stream, body, window))


class KinesisServer:
    """Serves on a free port of this machine, from `start` until `stop`."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="kinesis", daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping = True
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        while not self._is_stopping:
            for key, events in self._selector.select(timeout=0.5):
                if key.data is None:
                    self._accept()
                else:
                    self._serve(key, events)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._selector.register(connection, both, _Connection(connection, self._answer))

    def _serve(self, key: selectors.SelectorKey, events: int) -> None:
        connection: _Connection = key.data
        sock = key.fileobj
        assert isinstance(sock, socket.socket)
        try:
            is_open = not events & selectors.EVENT_READ or connection.receive()
            if events & selectors.EVENT_WRITE:
                connection.send()
        except BlockingIOError:
            is_open = True
        except OSError:
            is_open = False
        if not is_open:
            self._selector.unregister(sock)
            sock.close()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.wants_to_send else 0)
        if wanted != key.events:
            self._selector.modify(sock, wanted, connection)
