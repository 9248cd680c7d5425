"""Asks one address for what that instance knows, within the time that is left, and a bounded size.

Whatever the other side does is an answer, a `TimeoutError`, or a `NoAnswer`, whose text is a sentence without its
subject. Follows no redirect, and uses no proxy: peers are neighbours.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import NamedTuple
from urllib.parse import urlencode

from kcl_flowlog.client.exchange import Left, exchange
from kcl_flowlog.counting.who.steps import STEP
from kcl_flowlog.peers.client_files import Access
from kcl_flowlog.peers.own_answer import MOST_BYTES, OwnAnswer, decode
from kcl_flowlog.values import PeerUrl, host_and_port
from kcl_flowlog.web.who_page import API_PATH

Connect = Callable[[tuple[str, int], float], socket.socket]
"""Connects to host and port within some seconds, as `socket.create_connection` does."""

_HEAD_BYTES = 64 * 1024
_ADVICE = {
    400: "does not understand the question; if it speaks HTTPS, say so in its URL, else run one version everywhere",
    401: "asks for a user; name one with --peers-credentials",
    404: "has no page about who sent what; it runs with --no-who, or is another program",
    429: "has too many requests at the moment",
    500: "can't make the answer; see its log",
}


class NoAnswer(Exception):
    """A peer gave no usable answer; the text says why."""


class PeerQuestion(NamedTuple):
    """A subnet, empty for the list of all, and how many steps back."""

    subnet_id: str
    steps: int


class Address(NamedTuple):
    """Where to ask one instance: `host` of its URL is an address if several were found for the name."""

    peer: PeerUrl
    host: str

    @property
    def shown(self) -> str:
        """The address as a URL."""
        return str(self.peer._replace(host=self.host, is_dns=False))


def ask(address: Address, question: PeerQuestion, access: Access, left: Left, connect: Connect) -> OwnAnswer:
    """Return the answer of an instance. Raises `NoAnswer`, and `TimeoutError` if no time is left."""
    peer = address.peer
    try:
        received = exchange(
            connect((address.host, peer.port), left()),
            _request(peer, question, access.authorization),
            left,
            _HEAD_BYTES + MOST_BYTES + 1,
            access.context if peer.is_tls else None,
            # The name that its certificate has; a name can have many addresses.
            peer.host,
        )
        return decode(_body(received))
    except TimeoutError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"has a certificate that is not trusted ({error.verify_message}); see --peers-ca") from None
    except (OSError, UnicodeError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise NoAnswer(f"did not answer ({why})") from None
    except HTTPException as error:
        raise NoAnswer(f"does not speak HTTP, or was cut off ({type(error).__name__})") from None
    except ValueError as error:
        raise NoAnswer(str(error)) from None


def _request(peer: PeerUrl, question: PeerQuestion, authorization: str) -> bytes:
    query = urlencode({"subnet": question.subnet_id, "window": f"{question.steps * STEP}s", "format": "sketch"})
    host = host_and_port(peer.host, peer.port)
    lines = [f"GET {peer.path}{API_PATH}?{query} HTTP/1.1", f"Host: {host}", "Connection: close"]
    if authorization:
        lines.append(f"Authorization: {authorization}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")


def _body(received: bytes) -> bytes:
    """Return the body of a response. Raises `NoAnswer` and `HTTPException`."""
    response = HTTPResponse(_Received(received), method="GET")  # type: ignore[arg-type] # it only makes a file of it
    response.begin()
    if response.status != 200:
        raise NoAnswer(_ADVICE.get(response.status, f"answers with status {response.status}"))
    if len(received) > _HEAD_BYTES + MOST_BYTES:
        raise NoAnswer(f"answers with more than {MOST_BYTES} bytes")
    # Without a bound, a length beyond all numbers of the machine would raise `OverflowError`.
    return response.read(MOST_BYTES + 1)


class _Received:
    """What a socket has received."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _: str) -> BytesIO:
        return BytesIO(self._data)
