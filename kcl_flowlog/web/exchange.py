"""A request and its response, as the pages see them.

Knows no socket and no syntax of HTTP; raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """A complete request without its body, which no page reads. Header names are in lower case.

    `client` is the address of the client, `network` the group of addresses that takes turns as a single client.
    """

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    client: str
    network: str

    def header(self, name: str) -> str:
        """Return the value of a header; an empty text if it is missing, all values if it is there several times."""
        return ", ".join(value for key, value in self.headers if key == name)


def _do_nothing() -> None:
    pass


@dataclass(frozen=True)
class Response:
    """A response; its body is in parts.

    The server calls `when_sent` after it has handed the last byte to the kernel.
    """

    status: HTTPStatus
    body: Sequence[bytes]
    content_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()
    when_sent: Callable[[], None] = _do_nothing

    @property
    def size(self) -> int:
        """How many bytes the body has."""
        return sum(map(len, self.body))


def text(status: HTTPStatus, *lines: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return a response of lines of text."""
    return Response(status, ["".join(f"{line}\n" for line in lines).encode()], headers=headers)


def failure() -> Response:
    """Return the response for a page that can't be made."""
    return text(HTTPStatus.INTERNAL_SERVER_ERROR, "Cannot make this page; see the log.")
