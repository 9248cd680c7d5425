"""A page of HTML with the headers that all of them have."""

from __future__ import annotations

from http import HTTPStatus

from kcl_flowlog.web.exchange import Response

_TYPE = "text/html; charset=utf-8"
HEADERS = (
    # Names and addresses of a network are nobody else's business: no cache, no other site, no script.
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


def html(page: str, *headers: tuple[str, str]) -> Response:
    """Return a response with the page."""
    return Response(HTTPStatus.OK, [page.encode()], _TYPE, (*HEADERS, *headers))
