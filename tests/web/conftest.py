from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.web.server import WebServer
from tests.support.certificates import Authority
from tests.support.web import FakeContents, Serve, Write


@pytest.fixture
def contents() -> FakeContents:
    """What the pages show."""
    return FakeContents()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Issues certificates."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a web configuration file and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "web.yml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(autouse=True)
def log_level(caplog: pytest.LogCaptureFixture) -> None:
    """Warnings and errors only, unless a test lowers the level."""
    caplog.set_level(logging.WARNING)


@pytest.fixture
def serve(contents: FakeContents) -> Iterator[Serve]:
    """Starts a server on a free port of 127.0.0.1, and stops it after the test."""
    with contextlib.ExitStack() as stack:

        def serve(web_config_file: Path | str = "", host: str = "127.0.0.1", **timeouts: float) -> WebServer:
            server = WebServer((host, 0), contents.pages(), str(web_config_file), **timeouts)
            stack.callback(server.stop)
            server.start()
            return server

        yield serve
    # An unclosed connection becomes a warning here, in the test that forgot it.
    gc.collect()


@pytest.fixture
def tls_config(authority: Authority, write: Write) -> Path:
    """A web configuration with TLS."""
    issued = authority.issue("server")
    return write(f"tls_server_config: {{cert_file: {issued.cert}, key_file: {issued.key}}}\n")
