"""The embedded AWS, which refuses keys that it did not give out or that have expired.

Run as `python -m tests.support.strict_aws`, in place of `kcl_flowlog.demo.aws_server`. The keys of the test itself are
"demo"; `issue` makes all others, and they tell when they expire.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kcl_flowlog.demo import aws_server

_OF_THE_TEST = "demo"


class Issued(NamedTuple):
    """Temporary credentials; `expires_at` is in whole Unix seconds."""

    access_key: str
    secret_key: str
    token: str
    expires_at: int


def issue(lifetime: float) -> Issued:
    """Return new credentials that expire after that many seconds."""
    now = time.time()
    expires_at = int(now + lifetime)
    access_key = f"ASIA{expires_at}X{int(now * 1000)}"
    return Issued(access_key, "secret", f"token-{access_key}", expires_at)


def refusal(authorization: str, token: str, now: float) -> str:
    """Return why a request is refused, or an empty text; see what AWS checks."""
    found = re.search(r"Credential=([^/]+)/", authorization)
    access_key = found[1] if found else ""
    if access_key == _OF_THE_TEST:
        return ""
    issued = re.fullmatch(r"ASIA(\d+)X\d+", access_key)
    if issued is None or token != f"token-{access_key}":
        return "UnrecognizedClientException"
    return "ExpiredTokenException" if now >= int(issued[1]) else ""


def strict(app: aws_server.WSGI) -> aws_server.WSGI:
    """Return `app` behind the check of the keys."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
        is_for_the_test = environ["PATH_INFO"].startswith("/moto-api")
        why = "" if is_for_the_test else refusal(environ.get("HTTP_AUTHORIZATION", ""), token, time.time())
        if not why:
            return app(environ, start_response)
        environ["wsgi.input"].read()
        if "HTTP_X_AMZ_TARGET" in environ:
            start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
            return [b'{"__type": "com.amazon.coral.service#%s", "message": "Strict."}' % why.encode()]
        start_response("400 Bad Request", [("Content-Type", "text/xml")])
        return [b"<Response><Errors><Error><Code>%s</Code></Error></Errors></Response>" % why.encode()]

    return serve


if __name__ == "__main__":
    lenient = aws_server.denying
    aws_server.denying = lambda app, denied: strict(lenient(app, denied))
    aws_server.main()
