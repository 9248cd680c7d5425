"""An AWS with a stream that forgets what is put on it: `python -m tests.support.stream_only_aws --fd DESCRIPTOR`.

Stands in for `kcl_flowlog.demo.aws_server` where a test is about processes: that server imports for seconds. Like it,
this one serves on an inherited socket, until its stdin is closed.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

_NUMBERS = count(1)


class _Kinesis(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stored = [
            {"ShardId": "shardId-000000000000", "SequenceNumber": str(next(_NUMBERS))}
            for _ in request.get("Records", ())
        ]
        self._answer({"FailedRecordCount": 0, "Records": stored} if "Records" in request else {})

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
    server = ThreadingHTTPServer(listener.getsockname(), _Kinesis, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()
