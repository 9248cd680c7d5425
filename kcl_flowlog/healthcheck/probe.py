"""Asks the instance on this machine for a page, over HTTP or HTTPS, whichever it speaks now.

The instance itself says what it speaks: the web config may have changed, or be invalid and not in force. Nothing
secret is sent, and the instance is reached over the loopback, so its certificate is not verified. Imports little,
because probes start a process every few seconds. Raises `Unhealthy`, whose sentence says what to do.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kcl_flowlog.client.exchange import exchange, seconds_left
from kcl_flowlog.errors import Unhealthy
from kcl_flowlog.values import host_and_port

if TYPE_CHECKING:
    import ssl

TIMEOUT = "4s"
"""How long to wait for the answer, as a user writes it."""

HEALTHY, READY = "/-/healthy", "/-/ready"

_WORDS = {HEALTHY: "healthy", READY: "ready"}
_LOOPBACK = {"": ("::1", "127.0.0.1"), "0.0.0.0": ("127.0.0.1",), "::": ("::1",)}  # noqa: S104 # what others listen on
_MAX_BYTES = 64 * 1024
_LONGEST_REASON = 1000
# What the server answers to HTTP if it speaks HTTPS.
_BAD_REQUEST = 400
_HEADERS = "Host: localhost\r\nConnection: close\r\n"


@dataclass(frozen=True)
class Question:
    """Which page to ask for, and how; `address` is that of `--web.listen-address`."""

    address: tuple[str, int]
    page: str
    timeout: float
    client_cert: Path | None = None
    client_key: Path | None = None
    web_config_file: Path | None = None


class _Answer(NamedTuple):
    status: int
    body: str


def ask(question: Question, clock: Callable[[], float] = time.monotonic) -> str:
    """Return the word for an instance that is well. Raises `Unhealthy`."""
    if question.address[1] == 0:
        raise Unhealthy("The port of --web.listen-address is 0, so it can't be known; give it a number.")
    if question.client_key is not None and question.client_cert is None:
        raise Unhealthy("--client-key has no use without --client-cert; name both files.")
    probe = _Probe(question, clock)
    try:
        answer = probe.answer()
    except TimeoutError:
        raise Unhealthy(f"{probe.place} does not answer within {question.timeout:g} s.") from None
    except OSError as error:
        raise Unhealthy(f"{probe.place} does not answer ({error.strerror or error}).") from None
    word = _WORDS[question.page]
    if answer.status == 200:
        return word
    raise Unhealthy(_why(answer, word, probe.place))


def _why(answer: _Answer, word: str, place: str) -> str:
    if answer.status == 503:
        reasons = " ".join(answer.body.split())[:_LONGEST_REASON]
        return f"The instance is not {word}: {reasons or 'it gives no reason'}"
    advice = {
        401: "asks for a user; start the instance with --web.probes-without-auth",
        429: "has had too many requests; raise rate_limit in the web config",
        500: "can't make the page; see the log of the instance",
    }
    other = f"answers with status {answer.status}; check that --web.listen-address is that of the instance"
    return f"{place} {advice.get(answer.status, other)}."


class _Probe:
    """Asks a question within its time."""

    def __init__(self, question: Question, clock: Callable[[], float]) -> None:
        self._question = question
        self._left = seconds_left(question.timeout, clock)
        host, port = question.address
        self._hosts = _LOOPBACK.get(host, (host,))
        self.place = host_and_port(self._hosts[-1], port)

    def answer(self) -> _Answer:
        """Return the answer. Raises `OSError` and `Unhealthy`."""
        answer = self._exchange(None)
        return self._answer_over_tls() if answer.status == _BAD_REQUEST else answer

    def _answer_over_tls(self) -> _Answer:
        """Ask with the given client certificate, else with none, else with the certificate of the instance."""
        from kcl_flowlog.healthcheck.client_tls import client_context, own_context

        given = self._question.client_cert
        try:
            return self._exchange(client_context(given, self._question.client_key))
        except TimeoutError:
            raise
        except OSError as error:
            refusal = error.strerror or str(error)
        if given is not None:
            raise Unhealthy(f"{self.place} refuses {given} as a client certificate ({refusal}).")
        own = own_context(self._question.web_config_file)
        if own is None:
            raise Unhealthy(f"{self.place} ends the TLS handshake ({refusal}).")
        try:
            return self._exchange(own)
        except TimeoutError:
            raise
        except OSError:
            raise Unhealthy(
                f"{self.place} asks for a client certificate, and refuses the instance's own; "
                "name another with --client-cert and --client-key."
            ) from None

    def _exchange(self, context: ssl.SSLContext | None) -> _Answer:
        """Send a request, and return the answer to it."""
        request = f"GET {self._question.page} HTTP/1.1\r\n{_HEADERS}\r\n".encode()
        return _parse(exchange(self._connect(), request, self._left, _MAX_BYTES, context))

    def _connect(self) -> socket.socket:
        _, port = self._question.address
        *others, last = self._hosts
        for each in others:
            try:
                return socket.create_connection((each, port), self._left())
            except OSError:
                # The machine may have no IPv6; the last attempt says what is wrong.
                continue
        return socket.create_connection((last, port), self._left())


def _parse(received: bytes) -> _Answer:
    head, _, body = received.decode("utf-8", "replace").partition("\r\n\r\n")
    protocol, _, rest = head.partition(" ")
    if not protocol.startswith("HTTP/") or not rest[:3].isdecimal():
        raise ConnectionError("it closed the connection" if not received else "it does not speak HTTP")
    return _Answer(int(rest[:3]), body)
