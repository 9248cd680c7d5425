"""A stand-in for the portal of IAM Identity Center (SSO), and the profile of a user who has logged in there."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support.strict_aws import issue

_ACCESS_TOKEN = "access-token"
_START_URL = "https://example.awsapps.com/start"
_CONFIG = f"""[profile sso]
sso_start_url = {_START_URL}
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = reader
"""


class SsoPortal:
    """The portal, as a context manager: gives credentials that live for `lifetime` seconds to who has logged in.

    While `is_down` is true, it fails. `issued` counts the credentials that it gave.
    """

    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        self.is_down = False
        self.issued = 0
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply(*portal._answer(self.path, self.headers.get("x-amz-sso_bearer_token", "")))

            def _reply(self, status: int, content: dict[str, object]) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> SsoPortal:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def log_in(self, home: Path, expires: str = "2099-01-01T00:00:00Z") -> dict[str, str]:
        """Write the files of a user who has logged in; return the variables of a program that this user starts."""
        cache = home / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True)
        token = {"startUrl": _START_URL, "region": "eu-west-1", "accessToken": _ACCESS_TOKEN, "expiresAt": expires}
        (cache / f"{hashlib.sha1(_START_URL.encode()).hexdigest()}.json").write_text(json.dumps(token))
        (home / ".aws" / "config").write_text(_CONFIG)
        return {
            "HOME": str(home),
            "AWS_PROFILE": "sso",
            "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
            "AWS_ENDPOINT_URL_SSO": f"http://127.0.0.1:{self._server.server_port}",
        }

    def _answer(self, path: str, token: str) -> tuple[int, dict[str, object]]:
        if self.is_down:
            return 500, {"message": "The portal is down."}
        asked = urlsplit(path)
        if asked.path != "/federation/credentials" or parse_qs(asked.query).get("role_name") != ["reader"]:
            return 404, {"message": "There is no such role."}
        if token != _ACCESS_TOKEN:
            return 401, {"message": "Session token not found or invalid"}
        self.issued += 1
        keys = issue(self.lifetime)
        return 200, {
            "roleCredentials": {
                "accessKeyId": keys.access_key,
                "secretAccessKey": keys.secret_key,
                "sessionToken": keys.token,
                "expiration": keys.expires_at * 1000,
            }
        }
