"""The daemon as a child process, with a small shell script in the place of Java."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kcl_flowlog.launcher import daemon
from kcl_flowlog.launcher.daemon import Daemon
from kcl_flowlog.launcher.java import Jars, Java
from kcl_flowlog.launcher.parent_death import end_with_parent
from tests.support.demo_fakes import eventually

READY = "INFO Scheduler Initialization complete. Starting worker loop."
PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture
def fake_java(tmp_path):
    """Make a command out of the lines of a shell script."""

    def make(*lines):
        path = tmp_path / "java"
        path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def started(fake_java):
    """Start a daemon that runs the lines of a shell script; nothing of it is left after the test."""
    daemons = []

    def start(*lines):
        daemons.append(Daemon.start([fake_java(*lines)], os.environ))
        return daemons[-1]

    yield start
    for running in daemons:
        running.end(patience=0)


@pytest.fixture
def adopting():
    """Make this process the parent of orphans, as the launcher does, so that they can be reaped."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def is_there(pid):
    """Tell whether there is such a process, be it a dead one that nobody has reaped."""
    return Path(f"/proc/{pid}").exists()


def pid_told(running):
    """Return the process id that the daemon's last line of its log ends with."""
    assert eventually(lambda: bool(running.tail))
    return int(running.tail[-1].split()[-1])


def has_ended(running):
    return eventually(lambda: running.poll() is not None)


def test_the_daemon_has_a_session_of_its_own(started):
    """A Ctrl-C at the terminal does not reach the daemon or its processors."""
    running = started("exec sleep 60")
    assert os.getsid(running.pid) == running.pid != os.getsid(0)
    assert os.getpgid(running.pid) == running.pid


@pytest.mark.parametrize(
    ("line", "logged"),
    [
        (r"DEBUG Scheduler looks", (logging.DEBUG, "looks", "Scheduler")),
        (r"INFO MultiLangDaemon starts up", (logging.DEBUG, "starts up", "MultiLangDaemon")),
        (r"WARN LeaseTaker is slow", (logging.WARNING, "is slow", "LeaseTaker")),
        (r"ERROR Scheduler gives up | at line 3", (logging.ERROR, "gives up | at line 3", "Scheduler")),
        (r"Exception in thread main", (logging.WARNING, "Exception in thread main", None)),
        (r"WARNING: of Java itself", (logging.WARNING, "WARNING: of Java itself", None)),
        (r"ERROR Scheduler gr\303\274n \377", (logging.ERROR, "grün �", "Scheduler")),
        (r"WARN Scheduler 100%%d", (logging.WARNING, "100%d", "Scheduler")),
        (r"   ", None),
    ],
)
def test_each_line_is_logged_at_its_own_level(started, caplog, line, logged):
    """A line of the daemon's log becomes one of ours; what is in no form at all may be a crash, and is a warning."""
    caplog.set_level(logging.DEBUG, logger="kcl")

    running = started(f"printf '{line}\\n'")
    assert has_ended(running)
    running.end()

    seen = [
        (record.levelno, record.getMessage(), record.fields.get("source"))
        for record in caplog.records
        if record.name == "kcl"
    ]
    assert seen == ([logged] if logged else [])


@pytest.mark.parametrize(
    ("line", "is_ready"),
    [
        (READY, True),
        ("INFO Scheduler Initializing LeaseCoordinator", False),
        (READY.replace("Scheduler", "Other"), False),
        ("Initialization complete. Starting worker loop.", False),
    ],
)
def test_only_the_schedulers_word_makes_it_ready(started, line, is_ready):
    """The daemon is ready once its scheduler says that the initialisation is complete."""
    running = started(f"echo '{line}'", "echo 'WARN Test told'", "exec sleep 60")
    assert eventually(lambda: "told" in running.tail)
    assert running.is_ready is is_ready


def test_the_tail_holds_the_last_warnings(started):
    """The last twenty lines of weight are kept, oldest first, with none of the chatter between them."""
    running = started('for i in $(seq 25); do echo "WARN Test $i"; echo "INFO Test chatter"; done')
    assert has_ended(running)
    running.end()
    assert running.tail == [str(number) for number in range(6, 26)]


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", -9)], ids=["good", "bad", "killed"]
)
def test_the_exit_code_is_the_daemons_own(started, script, code):
    """What goes before the start changes nothing about its exit code, nor hides a signal."""
    running = started(script)
    assert has_ended(running)
    assert running.poll() == code


def test_only_the_daemon_itself_is_asked_to_stop(started):
    """SIGTERM goes to the daemon and to none of its processors, which have a last checkpoint to make."""
    running = started(
        "trap 'echo WARN Test daemon asked; exit 143' TERM",
        "(trap 'echo WARN Test processor asked' TERM; while :; do sleep 0.05; done) &",
        "echo WARN Test started",
        "while :; do sleep 0.05; done",
    )
    assert eventually(lambda: running.tail == ["started"])

    running.ask_to_stop()

    assert has_ended(running)
    assert running.poll() == 143
    running.end(patience=0.2)
    assert running.tail == ["started", "daemon asked"]


def test_asking_a_daemon_that_has_ended_does_no_harm(started):
    """A daemon may end by itself just before it is asked."""
    running = started("exit 0")
    assert has_ended(running)
    running.ask_to_stop()
    assert running.poll() == 0


@pytest.mark.parametrize("last_line", ["wait", "exit 1"], ids=["the daemon still runs", "the daemon has died"])
def test_the_end_leaves_nothing_of_the_group(started, adopting, last_line):
    """A processor that ignores SIGTERM and outlives its daemon is killed with it, and reaped."""
    running = started("(trap '' TERM; exec sleep 600) &", 'echo "WARN Test processor $!"', last_line)
    processor = pid_told(running)
    if last_line != "wait":
        assert has_ended(running)

    running.end(patience=0.1)

    assert not is_there(running.pid)
    assert not is_there(processor)


@pytest.mark.parametrize(("left", "calls"), [("sleep 600 &", 1), ("", 0)], ids=["one is left", "none is left"])
def test_it_is_told_before_processors_are_killed(fake_java, adopting, left, calls):
    """Whoever knows them may want to say something about them before; where none is left, there is nothing to say."""
    called = []
    running = Daemon.start([fake_java(left, "exit 1")], os.environ, lambda: called.append(True))
    assert has_ended(running)

    running.end(patience=0.1)

    assert len(called) == calls


def test_processors_get_a_moment_to_end_by_themselves(started, adopting, tmp_path):
    """A processor that is still writing when the daemon dies is not killed at once."""
    running = started(f"(sleep 0.3; echo done > {tmp_path}/written) &", "exit 1")
    assert has_ended(running)

    running.end(patience=5)

    assert (tmp_path / "written").read_text() == "done\n"


def test_the_daemon_dies_with_a_launcher_that_is_killed(fake_java, adopting):
    """After kill -9 of the launcher no daemon is left that a next launcher would start a second one beside."""
    program = (
        "import os, sys, time; from kcl_flowlog.launcher.daemon import Daemon;"
        " print(Daemon.start(sys.argv[1:], os.environ).pid, flush=True); time.sleep(60)"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", program, fake_java("exec sleep 600")], stdout=subprocess.PIPE, text=True
    )
    with launcher:
        java = int(launcher.stdout.readline())
        comm = Path(f"/proc/{java}/comm")
        assert eventually(lambda: comm.read_text() == "sleep\n")
        launcher.kill()
    ended = []
    assert eventually(lambda: bool(ended.append(os.waitpid(java, os.WNOHANG)) or ended[-1][0]))
    assert os.WTERMSIG(ended[-1][1]) == signal.SIGKILL


def test_the_tether_starts_nothing_for_a_parent_that_is_gone(fake_java, tmp_path):
    """If the launcher died before the tether was tied, the command is not run at all."""
    own, other = str(os.getpid()), str(os.getppid())
    argv = [
        other if word == own else word for word in end_with_parent([fake_java(f"touch {tmp_path}/ran")], signal.SIGKILL)
    ]
    assert (subprocess.run(argv, check=False).returncode, (tmp_path / "ran").exists()) == (1, False)


def test_a_daemon_named_without_its_folder_is_found_on_the_path(fake_java):
    """`--java java-21` can be started as well as looked at."""
    folder, _, name = fake_java("exit 7").rpartition("/")
    running = Daemon.start([name], {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
    assert has_ended(running)
    running.end()
    assert running.poll() == 7


def test_the_command_line_of_the_daemon(tmp_path):
    """The user's options of Java come first, quotes and all; the KCL's log is at INFO only for debugging."""
    java, jars = Java("/opt/java", "21"), Jars(Path("/jars"), "3.1.3", "3.1.3")

    quiet = daemon.command(java, jars, ("-Xmx1g", "-Dname=two words"), False, Path("/s/kcl"), Path("/s/logback.xml"))
    debug = daemon.command(java, jars, (), True, Path("/s/kcl"), Path("/s/logback.xml"))

    assert quiet == [
        "/opt/java",
        "-Xmx1g",
        "-Dname=two words",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Dfile.encoding=UTF-8",
        "-Dkcl.log.level=WARN",
        "-cp",
        "/jars/*",
        "software.amazon.kinesis.multilang.MultiLangDaemon",
        "--properties-file",
        "/s/kcl",
        "--log-configuration",
        "/s/logback.xml",
    ]
    assert [option for option in debug if option not in quiet] == ["-Dkcl.log.level=INFO"]


@pytest.mark.parametrize(
    ("python", "executable", "path"),
    [
        ("/usr/bin/python3", "/usr/bin/python3 -m kcl_flowlog.processor", "/bin"),
        ("/my apps/bin/python3", "python3 -m kcl_flowlog.processor", "/my apps/bin:/bin"),
    ],
)
def test_an_interpreter_whose_path_has_a_space_is_found_by_the_path(python, executable, path):
    """The KCL splits the processor's command at spaces, so such an interpreter is named alone and found by PATH."""
    environ = {"PATH": "/bin", "HOME": "/root"}
    assert daemon.executable(python) == executable
    assert daemon.environment(environ, python) == {"PATH": path, "HOME": "/root"}
