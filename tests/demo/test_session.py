"""Whole runs of the demo, with a product that only serves an empty page, and what is left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
import yaml

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.errors import DemoError
from kcl_flowlog.demo.monitor import DIFFERENT, EQUAL, Times
from kcl_flowlog.demo.session import Options, Session
from kcl_flowlog.demo.stop_request import StopRequest, Urgency
from kcl_flowlog.demo.story import STOPPED
from kcl_flowlog.errors import ConfigError
from tests.support.demo_fakes import build_stream_only
from tests.support.instance import is_alive
from tests.support.paths import ROOT
from tests.support.waiting import eventually

PRODUCT = """
import http.server, signal, sys
def stop(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a repeated signal must not kill a process that ends in order
    sys.exit(0)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(sys.argv[2].encode())
signal.signal(signal.SIGTERM, stop)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
EMPTY_PAGE = "flowlog_daemon_up 1\n"
WRONG_PAGE = 'flowlog_flows_total{subnet_id="subnet-9"} 5\n'


def fake_product(stream: str, state_dir: Path, port: int) -> list[str]:
    """Return the command of a product that serves an empty page."""
    return [sys.executable, "-c", PRODUCT, str(port), EMPTY_PAGE]


def miscounting_product(stream: str, state_dir: Path, port: int) -> list[str]:
    """Return the command of a product that shows five flows of an unknown subnet."""
    return [sys.executable, "-c", PRODUCT, str(port), WRONG_PAGE]


def dying_product(stream: str, state_dir: Path, port: int) -> list[str]:
    """Return the command of a product that dies at once."""
    return [sys.executable, "-c", "exit('no java')"]


class StreamOnlyAWS(EmbeddedAWS):
    """An AWS whose start takes no time: it has only one stream, and forgets what is put on it."""

    def __init__(self, denied: Sequence[str] = ()) -> None:
        super().__init__(argv=(sys.executable, "-m", "tests.support.stream_only_aws"))


def test_a_whole_run_compares_and_leaves_nothing_running(tmp_path: Path) -> None:
    """A product that miscounts fails the comparison; its log stays, and no process does."""
    said: list[str] = []
    request = StopRequest()

    def say(line: str) -> None:
        said.append(line)
        if re.search(r" 5 of [1-9]", line):
            request.urgency = Urgency.FINISH

    before = set(psutil.Process().children(recursive=True))
    options = Options(Times(settle=0.3), has_screen=False, rate=200, port=0, state_dir=tmp_path / "state")
    status = Session(options, say, request, miscounting_product, build_stream_only).run()
    assert DIFFERENT == status
    assert any("DIFFER" in line for line in said)
    assert "Stopped; nothing is left running." == said[-1]
    port = next(re.findall(r":(\d+)/metrics", line)[0] for line in said if "Metrics:" in line)
    config = yaml.safe_load("\n".join(said[said.index("  For Prometheus, under scrape_configs:") + 1 :][:3]))
    assert [{"job_name": "kcl-flowlog", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}] == config
    assert set(psutil.Process().children(recursive=True)) <= before
    assert (tmp_path / "state" / "kcl-flowlog.log").exists()


def test_a_product_that_dies_ends_the_run_with_its_last_output() -> None:
    """The error is about the dead product, not about the clean-up."""
    session = Session(
        Options(has_screen=False, port=0),
        lambda line: None,
        StopRequest(),
        dying_product,
        build_stream_only,
        StreamOnlyAWS,
    )
    with pytest.raises(DemoError, match="no java"):
        session.run()


def test_a_request_at_the_start_starts_nothing_more() -> None:
    """Ctrl-C while AWS starts ends the demo at once."""
    said: list[str] = []
    assert (
        EQUAL
        == Session(Options(port=0), said.append, StopRequest(Urgency.FINISH), fake_product, aws=StreamOnlyAWS).run()
    )
    assert "Stopped before kcl-flowlog started, so there is nothing to compare." == said[-1]
    assert 2 == len(said)


@pytest.mark.parametrize(
    ("duration", "missed"),
    [
        (None, []),
        (STOPPED.start + 0.5, []),
        (
            200,
            [
                "The story is cut short: with --duration 200 s these acts can't begin: S3 through NAT;"
                " A stopped interface. All of it takes 370 s, once kcl-flowlog counts."
            ],
        ),
    ],
)
def test_a_short_duration_says_at_once_which_acts_of_the_story_are_missing(
    duration: float | None, missed: list[str]
) -> None:
    said: list[str] = []
    options = Options(Times(duration), port=0, story=True)

    Session(options, said.append, StopRequest(Urgency.FINISH), fake_product, aws=StreamOnlyAWS).run()

    assert [*missed, "Starting an embedded AWS …"] == said[: len(missed) + 1]


@pytest.mark.parametrize("duration", [0, 60])
def test_a_duration_that_leaves_nothing_of_the_story_is_refused(duration: float) -> None:
    """Quiet traffic is what the demo shows without a story."""
    said: list[str] = []
    options = Options(Times(duration), port=0, story=True)

    with pytest.raises(ConfigError) as refused:
        Session(options, said.append, StopRequest(), fake_product, aws=StreamOnlyAWS).run()

    assert (
        f"--duration {duration} s leaves nothing of the story, in which something happens from second 60 on;"
        " leave --duration out, and the demo ends with the story."
    ) == str(refused.value)
    assert [] == said


DEMO = """
import sys
from kcl_flowlog.demo.session import Options, Session
from kcl_flowlog.demo.stop_request import StopRequest
from tests.demo.test_session import StreamOnlyAWS, fake_product
from tests.support.demo_fakes import build_stream_only
stop_request = StopRequest()
with stop_request.captured(ends_process=True):
    options = Options(has_screen=False, port=0)
    say = lambda line: print(line, flush=True)
    sys.exit(Session(options, say, stop_request, fake_product, build_stream_only, StreamOnlyAWS).run())
"""


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (signal.SIGINT, "Starting an embedded AWS"),
        (signal.SIGINT, "Sending about"),
        (signal.SIGINT, "KCL: "),
        (signal.SIGTERM, "Sending about"),
        (signal.SIGKILL, "KCL: "),
    ],
)
def test_a_signal_leaves_nothing_running(tmp_path: Path, number: signal.Signals, line: str) -> None:
    """Ctrl-C, SIGTERM and even SIGKILL end every process, whether AWS, the product or the traffic has just started."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", DEMO], stdout=subprocess.PIPE, text=True, env=environment) as demo:
        assert demo.stdout is not None
        while line not in (said := demo.stdout.readline()):
            assert said
        children = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(number)
        demo.stdout.read()
    assert (0 if number != signal.SIGKILL else -signal.SIGKILL) == demo.returncode
    assert eventually(lambda: not any(is_alive(process) for process in children))


def test_a_used_state_directory_is_refused(tmp_path: Path) -> None:
    """The ledger of another run does not fit an AWS that starts empty."""
    (tmp_path / "ledger").touch()
    with pytest.raises(ConfigError, match="is not empty"):
        Session(Options(port=0, state_dir=tmp_path), lambda line: None, StopRequest()).run()


def test_a_taken_port_is_refused() -> None:
    """A port in use is an error before anything starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"Can't use port {port} \(Address already in use\)"):
            Session(Options(port=port), lambda line: None, StopRequest()).run()
