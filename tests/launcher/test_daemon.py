"""The daemon as a child process, with a small shell script in place of Java, and once as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from kcl_flowlog.launcher import daemon, prctl
from kcl_flowlog.launcher.daemon import Daemon
from kcl_flowlog.launcher.java import Jars, Java, find_jars, find_java
from kcl_flowlog.launcher.parent_death import end_with_parent
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE, eventually

INITIALISED = "INFO Scheduler Initialization complete. Starting worker loop.␞"
FOREVER = "exec sleep 600"

Script = Callable[..., str]
Start = Callable[..., Daemon]


@pytest.fixture
def fake_java(tmp_path: Path) -> Script:
    """Make a command out of the lines of a shell script."""

    def make(*lines: str) -> str:
        path = tmp_path / "java"
        path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def start(fake_java: Script) -> Iterator[Start]:
    """Start a daemon that runs the lines of a shell script; nothing of it is left after the test."""
    daemons = []

    def start(*lines: str, before_kill: Callable[[], None] = lambda: None) -> Daemon:
        daemons.append(Daemon.start([fake_java(*lines)], os.environ, before_kill))
        return daemons[-1]

    yield start
    for running in daemons:
        running.end(patience=0)


@pytest.fixture
def subreaper() -> Iterator[None]:
    """Make this process the parent of the processes that a daemon leaves, as the launcher does."""
    prctl.become_subreaper()
    yield
    prctl._prctl(prctl._SET_CHILD_SUBREAPER, 0)


def exists(pid: int) -> bool:
    """Return whether there is such a process, even an ended process that nobody has reaped."""
    return psutil.pid_exists(pid)


def printed_pid(running: Daemon) -> int:
    """Return the process id at the end of the last warning in the daemon's log."""
    assert eventually(lambda: bool(running.tail))
    return int(running.tail[-1].split()[-1])


def has_ended(running: Daemon) -> bool:
    return eventually(lambda: running.poll() is not None)


def test_the_daemon_has_its_own_session(start: Start) -> None:
    """A Ctrl-C at the terminal does not reach the daemon or its processors."""
    running = start(FOREVER)

    assert running.pid == os.getsid(running.pid)
    assert running.pid == os.getpgid(running.pid)
    assert running.pid != os.getsid(0)


def test_the_daemon_gets_its_environment_and_no_input(fake_java: Script) -> None:
    """Only the variables that were given; a read from stdin finds its end."""
    running = Daemon.start([fake_java('echo "WARN Test $COLOUR $HOME $(cat)␞"')], {"COLOUR": "red"})

    assert has_ended(running)
    running.end()

    assert ["red"] == running.tail


def test_the_output_of_the_daemon_and_its_processors_is_its_log(start: Start) -> None:
    """Stdout and stderr alike, to the last line, and bytes that are no UTF-8 do no harm."""
    running = start(
        f"echo '{INITIALISED}'",
        "echo 'WARN Test error␞' >&2",
        r"printf 'WARN Test gr\303\274n \377␞\n'",
        "(printf 'last words')",
    )
    assert has_ended(running)

    running.end()

    assert running.is_ready
    assert ["error", "grün �", "last words"] == running.tail


def test_the_end_waits_until_the_whole_output_is_read(start: Start) -> None:
    """The last lines say why a daemon ended, however many were printed just before."""
    running = start("yes 'INFO Test text' | head -n 5000", "echo last words")
    assert has_ended(running)

    running.end()

    assert "last words" == running.tail[-1]


def test_a_daemon_is_not_ready_at_its_start(start: Start) -> None:
    """Other lines of its log don't change that."""
    running = start("echo 'WARN Test begins␞'", FOREVER)
    assert eventually(lambda: ["begins"] == running.tail)

    assert not running.is_ready


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", -9)], ids=["success", "failure", "signal"]
)
def test_the_exit_code_is_that_of_the_daemon(start: Start, script: str, code: int) -> None:
    """The program that runs before it changes neither an exit code nor a signal."""
    running = start(script)

    assert has_ended(running)
    assert code == running.poll()


def test_a_running_daemon_has_no_exit_code(start: Start) -> None:
    """Nor does it end by being looked at."""
    assert start(FOREVER).poll() is None


def test_only_the_daemon_itself_gets_the_stop(start: Start) -> None:
    """SIGTERM goes to the daemon and to no processor, which still has to make its last checkpoint."""
    running = start(
        "trap 'echo WARN Test daemon stops␞; exit 143' TERM",
        "(trap 'echo WARN Test processor stops␞' TERM; while :; do sleep 0.05; done) &",
        "echo WARN Test started␞",
        "while :; do sleep 0.05; done",
    )
    assert eventually(lambda: ["started"] == running.tail)

    running.ask_to_stop()

    assert has_ended(running)
    assert 143 == running.poll()
    running.end(patience=0.2)
    assert ["started", "daemon stops"] == running.tail


def test_a_stop_of_a_daemon_that_has_ended_does_no_harm(start: Start) -> None:
    """A daemon may end by itself just before."""
    running = start("exit 0")
    assert has_ended(running)

    running.ask_to_stop()

    assert 0 == running.poll()


@pytest.mark.usefixtures("subreaper")
@pytest.mark.parametrize("last_line", ["wait", "exit 1"], ids=["the daemon still runs", "the daemon has ended"])
def test_the_end_leaves_nothing_of_the_group(start: Start, last_line: str) -> None:
    """A processor that ignores SIGTERM and outlives its daemon is killed and reaped."""
    running = start("(trap '' TERM; exec sleep 600) &", 'echo "WARN Test processor $!␞"', last_line)
    processor = printed_pid(running)
    if last_line != "wait":
        assert has_ended(running)

    running.end(patience=0.1)

    assert not exists(running.pid)
    assert not exists(processor)


@pytest.mark.usefixtures("subreaper")
@pytest.mark.parametrize(("left", "calls"), [("sleep 600 &", 1), ("", 0)], ids=["a processor is left", "none is left"])
def test_before_kill_is_called_only_before_processors_are_killed(start: Start, left: str, calls: int) -> None:
    """If no processor is left, there is nothing to do before."""
    called: list[str] = []
    running = start(left, "exit 1", before_kill=lambda: called.append("killing"))
    assert has_ended(running)

    running.end(patience=0.1)

    assert calls == len(called)


def test_before_kill_is_called_while_the_daemon_still_runs(start: Start) -> None:
    """The records in hand of its processors can then be excused."""
    codes: list[int | None] = []
    running: Daemon = start(FOREVER, before_kill=lambda: codes.append(running.poll()))

    running.end(patience=0)

    assert [None] == codes
    assert -signal.SIGKILL == running.poll()


@pytest.mark.usefixtures("subreaper")
def test_processors_get_time_to_end_by_themselves(start: Start, tmp_path: Path) -> None:
    """A processor that is still writing when the daemon ends is not killed at once, nor waited for any longer."""
    running = start(f"(sleep 0.3; echo done > {tmp_path}/written) &", "exit 1")
    assert has_ended(running)

    began = time.monotonic()
    running.end(patience=PATIENCE)

    assert "done\n" == (tmp_path / "written").read_text()
    assert time.monotonic() - began < PATIENCE


@pytest.mark.usefixtures("subreaper")
def test_processors_are_killed_when_their_time_is_up(fake_java: Script) -> None:
    """Not before, however often they are looked at."""
    pauses: list[float] = []
    kills: list[float] = []
    running = Daemon.start(
        [fake_java("sleep 600 &", "exit 1")],
        os.environ,
        before_kill=lambda: kills.append(sum(pauses)),
        clock=lambda: sum(pauses),
        sleep=pauses.append,
    )
    assert has_ended(running)

    running.end(patience=100.0)

    assert [pytest.approx(100.0, abs=0.1)] == kills


@pytest.mark.usefixtures("subreaper")
def test_the_daemon_ends_with_a_launcher_that_is_killed(fake_java: Script) -> None:
    """After kill -9 of the launcher no daemon is left beside which the next launcher would start a second."""
    program = (
        "import os, sys, time; from kcl_flowlog.launcher.daemon import Daemon;"
        " print(Daemon.start(sys.argv[1:], os.environ).pid, flush=True); time.sleep(600)"
    )
    launcher = subprocess.Popen([sys.executable, "-c", program, fake_java(FOREVER)], stdout=subprocess.PIPE, text=True)
    with launcher:
        assert launcher.stdout is not None
        java = int(launcher.stdout.readline())
        comm = Path(f"/proc/{java}/comm")
        assert eventually(lambda: comm.read_text() == "sleep\n")
        launcher.kill()

    status = []

    def is_reaped() -> bool:
        pid, code = os.waitpid(java, os.WNOHANG)
        status.append(code)
        return pid == java

    assert eventually(is_reaped)
    assert signal.SIGKILL == os.WTERMSIG(status[-1])


def test_nothing_is_started_for_a_parent_that_has_ended(fake_java: Script, tmp_path: Path) -> None:
    """If the launcher ended before the kernel knew what to do at its end, the command is not run at all."""
    own, other = str(os.getpid()), str(os.getppid())
    argv = end_with_parent([fake_java(f"touch {tmp_path}/ran")], signal.SIGKILL)

    result = subprocess.run([other if word == own else word for word in argv], check=False)

    assert 1 == result.returncode
    assert not (tmp_path / "ran").exists()


def test_a_java_named_without_its_folder_is_found_on_the_path(fake_java: Script) -> None:
    """`--java java-21` can be started as well as examined."""
    folder, _, name = fake_java("exit 7").rpartition("/")

    running = Daemon.start([name], {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})

    assert has_ended(running)
    running.end()
    assert 7 == running.poll()


def test_the_command_line_of_the_daemon() -> None:
    """The user's options of Java come first; the KCL's log is at INFO only for debugging."""
    java, jars = Java("/opt/java", "21"), Jars(Path("/jars"), "3.1.3", "3.1.3")

    quiet = daemon.command(java, jars, ("-Xmx1g", "-Dname=two words"), False, Path("/s/kcl"), Path("/s/logback.xml"))
    debug = daemon.command(java, jars, (), True, Path("/s/kcl"), Path("/s/logback.xml"))

    assert [
        "/opt/java",
        "-Xmx1g",
        "-Dname=two words",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Dfile.encoding=UTF-8",
        "-Djava.util.logging.SimpleFormatter.format=%4$s %3$s %5$s%6$s%n",
        "-Dkcl.log.level=WARN",
        "-cp",
        "/jars/*",
        "software.amazon.kinesis.multilang.MultiLangDaemon",
        "--properties-file",
        "/s/kcl",
        "--log-configuration",
        "/s/logback.xml",
    ] == quiet
    assert ["-Dkcl.log.level=INFO"] == [option for option in debug if option not in quiet]


@pytest.mark.parametrize(
    ("python", "executable", "path"),
    [
        ("/usr/bin/python3", "/usr/bin/python3 -m kcl_flowlog.processor", "/bin"),
        ("/my apps/bin/python3", "python3 -m kcl_flowlog.processor", "/my apps/bin:/bin"),
    ],
)
def test_an_interpreter_whose_path_has_a_space_is_found_by_the_path(python: str, executable: str, path: str) -> None:
    """The KCL splits the processor's command at spaces, so only the name of such an interpreter is given."""
    environ = {"PATH": "/bin", "HOME": "/root"}

    assert executable == daemon.executable(python)
    assert {"PATH": path, "HOME": "/root"} == daemon.environment(environ, python)


def test_a_processor_is_started_without_the_variables_of_the_daemon_alone() -> None:
    """It could delete them itself, but /proc would still show them."""
    expected = "env -u TOKEN -u ADDRESS /usr/bin/python3 -m kcl_flowlog.processor"

    assert expected == daemon.executable("/usr/bin/python3", unset=("TOKEN", "ADDRESS"))


def test_without_a_path_the_default_stays_behind_the_interpreter() -> None:
    """The shell of the system is still found."""
    assert {"PATH": f"/my apps/bin:{os.defpath}"} == daemon.environment({}, "/my apps/bin/python3")


@pytest.mark.daemon
def test_the_real_daemon_prints_what_its_log_reads(tmp_path: Path) -> None:
    """Its logback.xml gives message and exception apart: here it has no credentials, and needs no AWS to notice."""
    properties = tmp_path / "kcl.properties"
    properties.write_text(
        "applicationName = a\nstreamName = s\nregionName = eu-central-1\nexecutableName = none\nworkerId = w\n"
        "processingLanguage = python\nAwsCredentialsProvider = EnvironmentVariableCredentialsProvider\n"
        "disableWorkerMetrics = true\n"
    )
    argv = daemon.command(
        find_java("", os.environ), find_jars(), ("-Xmx128m",), False, properties, ROOT / "properties" / "logback.xml"
    )
    running = Daemon.start(argv, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    try:
        assert eventually(lambda: bool(running.tail), 600)
    finally:
        running.end(patience=0)

    message, _, error = running.tail[0].partition(": ")
    assert "Caught exception when initializing LeaseCoordinator" == message
    assert error.startswith("RuntimeException: SdkClientException: Unable to load credentials")
    assert "␤" not in error
    assert "\tat " not in error
