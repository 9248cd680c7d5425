"""The run of the demo: what it waits for, what it compares, and what is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext

import pytest
from click.testing import CliRunner

from kcl_flowlog.demo import command
from kcl_flowlog.demo.asked import AT_ONCE, FINISH, Asked
from kcl_flowlog.demo.errors import DemoError
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.product import Product, environment, product_argv
from kcl_flowlog.demo.session import DIFFERENT, EQUAL, Options, Running, Session
from kcl_flowlog.errors import ConfigError
from tests.support.demo_fakes import WORLD, a_truth, build_stream_only, eventually
from tests.support.paths import ROOT

IMPATIENT = Options(duration=0.0, settle=0.2, confirm=0.03, pace=0.01)


class Display(nullcontext):
    """Keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.shown = []
        self.rows = []

    def show(self, status):
        self.shown.append(status)

    def final(self, rows):
        self.rows = rows


class FakeProducer:
    """Has already produced what it will."""

    def __init__(self, truth, failure=None):
        self._truth = truth
        self.failure = failure

    def stop(self):
        pass

    def truth(self):
        return self._truth


def watch(pages, *, options=IMPATIENT, asked=None, failure=None, check=lambda: None):
    """Watch a run that generated three flows and shows `pages`, the last one for ever."""
    pages = iter(pages)
    last = [None]

    def look():
        last[0] = next(pages, last[0])
        return last[0]

    said, display = [], Display()
    running = Running(
        options,
        said.append,
        asked or Asked(),
        time.monotonic(),
        WORLD,
        FakeProducer(a_truth(3), failure),
        display,
        look,
        check,
    )
    return running.watch(), said, display


def test_equal_figures_are_a_success():
    """Once the page shows what was generated, and goes on to, the status is 0."""
    status, said, display = watch([None, Page(a_truth(1)), Page(a_truth(3))])
    assert status == EQUAL
    assert said == ["Generated and counted are equal to the last digit; log events: 3 counted."]
    assert display.rows[-1].counted == display.rows[-1].generated


def test_a_figure_that_never_arrives_is_a_failure():
    """When time is up and something is missing, the status is 1 and the sentence says what."""
    status, said, _ = watch([Page(a_truth(2))])
    assert status == DIFFERENT
    assert "DIFFER: subnets public-a; log events counted: 2 instead of 3" in said[0]


def test_a_figure_that_moves_on_after_it_was_equal_is_a_failure():
    """A record counted twice shows after the first equality, and is not overlooked."""
    status, _, _ = watch([Page(a_truth(3)), Page(a_truth(3)), Page(a_truth(6))], options=IMPATIENT)
    assert status == DIFFERENT


def test_a_page_that_never_answers_is_a_failure():
    """Without a page nothing was counted."""
    status, _, display = watch([])
    assert status == DIFFERENT
    assert display.rows[-1].counted.flows == 0


def test_asked_to_finish_it_still_waits_for_the_figures():
    """One Ctrl-C ends the traffic; what was sent is still compared."""
    options = Options(duration=None, settle=5, confirm=0.03, pace=0.01)
    asked = Asked()
    threading.Timer(0.3, lambda: setattr(asked, "urgency", FINISH)).start()
    pages = [Page(a_truth(1)) for _ in range(3)] + [Page(a_truth(3))]
    status, said, _ = watch(pages, options=options, asked=asked)
    assert status == EQUAL
    assert "equal to the last digit" in said[0]


def test_asked_at_once_it_compares_what_there_is_and_blames_nobody():
    """SIGTERM ends the run without the wait; a difference then is no failure."""
    options = Options(duration=None, settle=60, pace=0.01)
    asked = Asked()
    threading.Timer(0.2, lambda: setattr(asked, "urgency", AT_ONCE)).start()
    begin = time.monotonic()
    status, said, _ = watch([Page(a_truth(1))], options=options, asked=asked)
    assert status == EQUAL
    assert said[1:] == ["It was stopped before all could be counted, so a difference means nothing."]
    assert time.monotonic() - begin < 10


def test_a_second_request_ends_the_wait_for_the_figures():
    """Whoever asks again while the demo waits for the last figures need not wait for them."""
    options = Options(duration=0, settle=60, pace=0.01)
    asked = Asked()
    threading.Timer(0.2, lambda: setattr(asked, "urgency", FINISH)).start()
    begin = time.monotonic()
    status, _, _ = watch([Page(a_truth(1))], options=options, asked=asked)
    assert status == EQUAL
    assert time.monotonic() - begin < 10


def test_stopped_before_anything_was_counted_there_is_no_table():
    """Ctrl-C while the KCL initialises ends the demo without a comparison."""
    status, said, display = watch([Page()], asked=Asked(FINISH))
    assert status == EQUAL
    assert said == ["Stopped before anything was counted, so there is nothing to compare."]
    assert display.rows == []


def test_a_dead_part_ends_the_run():
    """A part that dies ends the run with its own sentence."""

    def check():
        raise DemoError("kcl-flowlog run has ended with status 2.")

    with pytest.raises(DemoError, match="status 2"):
        watch([Page()], check=check)


def test_traffic_that_fails_ends_the_run():
    """When the stream's answer is unknown there is nothing to compare with."""
    with pytest.raises(DemoError, match="The traffic has stopped: gone"):
        watch([Page()], failure=ConnectionError("gone"))


# The product as a process


def launcher(tmp_path, code):
    return Product([sys.executable, "-c", code], dict(os.environ), tmp_path / "log")


ENDS_WELL = (
    "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); print('up', flush=True); time.sleep(60)"
)


def up(tmp_path):
    return eventually(lambda: (tmp_path / "log").read_bytes() == b"up\n")


def test_a_launcher_that_dies_says_why(tmp_path):
    """The error has the status and the last lines of the log."""
    running = launcher(tmp_path, "import sys; sys.exit('no such stream')")
    running.start()

    def died():
        try:
            running.check()
        except DemoError as error:
            return "ended with status 1. Its last words:\n  no such stream" in str(error)
        return False

    assert eventually(died)
    running.stop()


def test_a_launcher_is_stopped_by_sigterm(tmp_path):
    """A launcher that ends with 0 on SIGTERM is stopped without a word."""
    running = launcher(tmp_path, ENDS_WELL)
    running.start()
    assert up(tmp_path)
    running.check()
    running.stop()
    running.stop()


def test_a_launcher_that_ends_badly_is_told(tmp_path):
    """Another status than 0 after SIGTERM is an error."""
    running = launcher(tmp_path, ENDS_WELL.replace("exit(0)", "exit(3)"))
    running.start()
    assert up(tmp_path)
    with pytest.raises(DemoError, match="asked to stop and ended with status 3"):
        running.stop()


def test_a_launcher_that_ignores_sigterm_is_killed(tmp_path):
    """After the patience is over it is killed, and that is an error."""
    running = launcher(tmp_path, ENDS_WELL.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN"))
    running.start()
    assert up(tmp_path)
    with pytest.raises(DemoError, match=r"did not stop within 0\.1 s"):
        running.stop(patience=0.1)


def test_a_launcher_is_asked_again_when_the_user_is_in_a_hurry(tmp_path):
    """When the user asks again, the launcher is sent a second SIGTERM, and just one."""
    code = ENDS_WELL.replace("lambda *_: sys.exit(0)", "lambda *_: asked.append(1) or len(asked) < 2 or sys.exit(0)")
    running = launcher(tmp_path, "asked = []; " + code.strip())
    running.start()
    assert up(tmp_path)
    running.stop(patience=10, hurry=lambda: True)


def test_a_launcher_gets_no_other_account_and_no_other_setting(monkeypatch):
    """Of the caller's AWS and KCL_FLOWLOG variables none reaches the product."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("KCL_FLOWLOG_STREAM", "production")
    monkeypatch.setenv("LANG", "C.UTF-8")
    given = environment({"AWS_REGION": "eu-west-1"})
    assert given["LANG"] == "C.UTF-8"
    assert [name for name in given if name.startswith(("AWS_", "KCL_FLOWLOG_"))] == ["AWS_REGION"]


def test_the_product_is_started_as_a_user_would(tmp_path):
    """The command names the stream, the state directory and the address of the metrics."""
    argv = product_argv("flow-logs", tmp_path, 10514)
    assert argv[1:4] == ["-m", "kcl_flowlog", "run"]
    options = dict(zip(argv[4::2], argv[5::2], strict=True))
    assert options["--stream"] == "flow-logs"
    assert options["--state-dir"] == str(tmp_path)
    assert options["--web.listen-address"] == "127.0.0.1:10514"


# The whole, with a product that only serves an empty page

PRODUCT = """
import http.server, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"flowlog_daemon_up 1\\n")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def fake_product(stream, state_dir, port):
    return [sys.executable, "-c", PRODUCT, str(port)]


def test_a_whole_run_compares_and_leaves_nothing_running(tmp_path):
    """A product that counts nothing fails the comparison; every process and the port are gone afterwards."""
    said = []
    options = Options(duration=2, table=False, rate=200, port=0, state_dir=tmp_path / "state", settle=0.3)
    status = Session(options, said.append, Asked(), fake_product, build_stream_only).run()
    assert status == DIFFERENT
    assert any("DIFFER" in line for line in said)
    assert said[-1] == "Stopped; nothing is left running."
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True)
    assert "kcl_flowlog.demo" not in children.stdout
    assert "http.server" not in children.stdout
    assert (tmp_path / "state" / "kcl-flowlog.log").exists()


def test_a_product_that_dies_ends_the_run_with_its_last_words():
    """The sentence about a dead product is the one that comes out, not one about cleaning up."""

    def dies_at_once(*_):
        return [sys.executable, "-c", "exit('no java')"]

    options = Options(table=False, port=0)
    session = Session(options, lambda line: None, Asked(), dies_at_once, build_stream_only)
    with pytest.raises(DemoError, match="no java"):
        session.run()


def test_asked_to_stop_at_the_start_it_starts_nothing_more():
    """Ctrl-C while AWS starts ends the demo at once."""
    said = []
    assert Session(Options(port=0), said.append, Asked(FINISH), fake_product).run() == EQUAL
    assert len(said) == 1


DEMO = f"""
import sys
from tests.support.demo_fakes import build_stream_only
from kcl_flowlog.demo.asked import Asked
from kcl_flowlog.demo.session import Options, Session
asked = Asked()
asked.listen()
product = lambda stream, state_dir, port: [sys.executable, "-c", {PRODUCT!r}, str(port)]
options = Options(table=False, port=0)
sys.exit(Session(options, lambda line: print(line, flush=True), asked, product, build_stream_only).run())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_nothing_running(tmp_path, number):
    """Ctrl-C, SIGTERM and even SIGKILL of the demo end all of its processes."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", DEMO],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)},
    ) as running:
        assert running.stdout is not None
        while "waiting for" not in running.stdout.readline():
            assert running.poll() is None
        listed = subprocess.run(["ps", "--ppid", str(running.pid), "-o", "pid="], capture_output=True, text=True)
        children = listed.stdout.split()
        running.send_signal(number)
        running.stdout.read()
    assert len(children) >= 2
    assert eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children))
    assert running.returncode == (0 if number != signal.SIGKILL else -signal.SIGKILL)


# The command


def test_a_missing_package_is_one_sentence(monkeypatch):
    """Without the packages of the extra the command says how to get them."""
    monkeypatch.setattr(command, "_PACKAGES", ("no_such_package",))
    result = CliRunner().invoke(command.demo, [])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == "The demo needs more packages: pip install 'kcl-flowlog[demo]'."


@pytest.mark.parametrize(("text", "seconds"), [("180", 180), ("180s", 180), ("3m", 180)])
def test_a_duration_is_a_time_as_everywhere(monkeypatch, text, seconds):
    """180, 180s and 3m are the same duration."""
    chosen = []

    class Fake:
        def __init__(self, options, say, asked):
            chosen.append(options)

        def run(self):
            return 0

    monkeypatch.setattr("kcl_flowlog.demo.session.Session", Fake)
    assert CliRunner().invoke(command.demo, ["--duration", text]).exit_code == 0
    assert [options.duration for options in chosen] == [seconds]


def test_a_bad_duration_is_refused():
    """A text that is no time is named, with status 2."""
    result = CliRunner().invoke(command.demo, ["--duration", "soon"])
    assert result.exit_code == 2
    assert "'soon' is not a duration such as 10s, 5m or 24h." in result.output


def test_a_used_state_directory_is_refused(tmp_path):
    """The ledger of another run does not fit an AWS that starts empty."""
    (tmp_path / "ledger").touch()
    with pytest.raises(ConfigError, match="is not empty"):
        Session(Options(port=0, state_dir=tmp_path), lambda line: None, Asked()).run()


def test_a_taken_port_is_refused():
    """A port in use is told before anything is started."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"Port {port} can't be used"):
            Session(Options(port=port), lambda line: None, Asked()).run()


def test_signals_raise_the_urgency():
    """The first SIGINT means finish, the second at once; SIGTERM means at once; then the old handlers are back."""
    before = signal.getsignal(signal.SIGINT)
    asked = Asked()
    give_back = asked.listen()
    try:
        signal.raise_signal(signal.SIGINT)
        assert asked.urgency == FINISH
        assert asked.wait(10)
        assert not asked.wait(0, AT_ONCE)
        signal.raise_signal(signal.SIGINT)
        assert asked.wait(10, AT_ONCE)
        other = Asked()
        other.listen()
        signal.raise_signal(signal.SIGTERM)
        assert other.urgency == AT_ONCE
    finally:
        give_back()
    assert before == signal.getsignal(signal.SIGINT)
