"""The embedded AWS, which permits only what a policy allows, and notes each action.

Run as `python -m tests.support.guarded_aws` in place of `kcl_flowlog.demo.aws_server`; `POLICY` names a file with the
policy, and the file `ASKED` gets a line for each request of the product. The test itself, whose key is "demo", may do
everything.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kcl_flowlog.demo import aws_server
from tests.support.policies import is_allowed, requests_of

POLICY = "KCL_FLOWLOG_TEST_POLICY"
ASKED = "KCL_FLOWLOG_TEST_ASKED"
_REFUSAL = b'{"__type": "AccessDeniedException", "message": "Not allowed."}'
_EC2_REFUSAL = b"<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>"


def guarded(app: aws_server.WSGI, policy: dict[str, Any], asked: Path) -> aws_server.WSGI:
    """Return `app` behind the policy."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        scope = re.search(r"Credential=(?!demo/)[^/]+/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        if scope is not None:
            target = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]
            needed = requests_of(scope[2], target, body, scope[1])
            who = "daemon" if "java" in environ.get("HTTP_USER_AGENT", "") else "launcher"
            with asked.open("a") as file:
                file.writelines(f"{who} {each.action} {each.resource}\n" for each in needed)
            if not all(is_allowed(policy, each) for each in needed):
                start_response("400 Bad Request" if target else "403 Forbidden", [])
                return [_REFUSAL if target else _EC2_REFUSAL]
        return app({**environ, "wsgi.input": io.BytesIO(body)}, start_response)

    return serve


if __name__ == "__main__":
    lenient = aws_server.denying
    read = json.loads(Path(os.environ[POLICY]).read_text())
    aws_server.denying = lambda app, denied: guarded(lenient(app, denied), read, Path(os.environ[ASKED]))
    aws_server.main()
