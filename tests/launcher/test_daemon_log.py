"""The daemon's output as log records: real output beside the lines that an operator sees, then each rule by itself."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.launcher.daemon_log import RULES, DaemonLog, Rule
from kcl_flowlog.logs import Formatter

OUTPUTS = Path(__file__).parent / "daemon_output"
INITIALISED = "INFO Scheduler Initialization complete. Starting worker loop.␞"
NOT_ASSIGNED = "WARN LeaseAssignmentManager Not able to assign all expiredOrUnAssignedLeases␞"
TRACE = [
    "java.util.concurrent.ExecutionException: java.io.UncheckedIOException: lease table",
    "\tat java.base/java.util.concurrent.FutureTask.get(FutureTask.java:191)",
    "Caused by: java.io.UncheckedIOException: lease table",
    "\tat io.Pool.take(Pool.java:7)",
    "\t... 3 more",
    "Caused by: io.netty.Pool$ClosedException: closed by peer",
    "\tat io.netty.Pool.take(Pool.java:7)",
]
ERROR = "ExecutionException: UncheckedIOException: lease table"
CAUSE = "Pool$ClosedException: closed by peer"


def log_all(*lines: str) -> DaemonLog:
    """Return the log of a run that printed these lines and ended."""
    daemon_log = DaemonLog()
    for line in lines:
        daemon_log.add(line)
    daemon_log.flush()
    return daemon_log


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, Any]]:
    """Return level, message and fields of each record."""
    return [(record.levelno, record.getMessage(), record.__dict__["fields"]) for record in caplog.records]


@pytest.mark.parametrize("output", sorted(OUTPUTS.glob("*.txt")), ids=lambda path: path.stem)
def test_real_output_becomes_short_lines(caplog: pytest.LogCaptureFixture, output: Path) -> None:
    """At info, each event that the KCL 3.1.3 printed is a line, and expected noise is not shown."""
    caplog.set_level(logging.INFO, logger="kcl")

    log_all(*output.read_text(encoding="utf-8").splitlines())

    expected = output.with_suffix(".log").read_text(encoding="utf-8").splitlines()
    lines = [Formatter("logfmt").format(record) for record in caplog.records]
    assert expected == [line.partition(" ")[2] for line in lines]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("TRACE Scheduler looks␞", (logging.DEBUG, "looks", {"logger": "Scheduler"})),
        ("DEBUG Scheduler looks␞", (logging.DEBUG, "looks", {"logger": "Scheduler"})),
        ("INFO MultiLangDaemon starts up␞", (logging.DEBUG, "starts up", {"logger": "MultiLangDaemon"})),
        ("WARN LeaseTaker is slow␞", (logging.WARNING, "is slow", {"logger": "LeaseTaker"})),
        ("ERROR Scheduler gives up␞", (logging.WARNING, "gives up", {"logger": "Scheduler"})),
        ("ERROR Pool$Task gave␤  up ␤ now␞", (logging.WARNING, "gave up now", {"logger": "Pool$Task"})),
        ("ERROR Scheduler 100%d␞", (logging.WARNING, "100%d", {"logger": "Scheduler"})),
        ("FINE com.amazon.Client looks", (logging.DEBUG, "looks", {"logger": "Client"})),
        ("INFO com.amazon.Client looks", (logging.DEBUG, "looks", {"logger": "Client"})),
        ("WARNING com.amazon.Client is slow", (logging.WARNING, "is slow", {"logger": "Client"})),
        ("SEVERE com.amazon.Client gives up", (logging.WARNING, "gives up", {"logger": "Client"})),
        ("WARNING: a JVM option is old", (logging.WARNING, "WARNING: a JVM option is old", {})),
        ("info Scheduler text", (logging.WARNING, "info Scheduler text", {})),
    ],
)
def test_each_event_has_the_level_of_its_kind(caplog: pytest.LogCaptureFixture, line: str, expected: Any) -> None:
    """What the KCL calls an error is a warning, because it tries again; text in no known form may be a crash."""
    caplog.set_level(logging.DEBUG, logger="kcl")

    log_all(line)

    assert [expected] == events(caplog)


def test_an_exception_is_its_class_and_message_and_root_cause(caplog: pytest.LogCaptureFixture) -> None:
    """No stack trace at info, no packages of Java, and all of it in one record."""
    caplog.set_level(logging.INFO, logger="kcl")

    log_all("ERROR Scheduler gives up␞" + "␤".join(TRACE) + "␤")

    expected = (logging.WARNING, "gives up", {"logger": "Scheduler", "error": ERROR, "cause": CAUSE})
    assert [expected] == events(caplog)


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        ("java.net.ConnectException: Connection refused", None),
        ("java.net.ConnectException", None),
        ("java.net.ConnectException: Timeout", "ConnectException: Timeout"),
        ("java.net.SocketException", "SocketException"),
    ],
)
def test_a_cause_that_the_error_already_names_is_left_out(
    caplog: pytest.LogCaptureFixture, cause: str, shown: str | None
) -> None:
    """The AWS SDK repeats the cause in its own message."""
    error = "a.b.SdkException: Can't send: java.net.ConnectException: Connection refused"

    log_all(f"ERROR Scheduler fails␞{error}␤\tat a.B.c(B.java:1)␤Caused by: {cause}")

    ((_, _, fields),) = events(caplog)
    assert shown == fields.get("cause")


def test_the_whole_stack_trace_is_there_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """With its lines, as Java prints them."""
    caplog.set_level(logging.DEBUG, logger="kcl")

    log_all("ERROR Scheduler gives up␞" + "␤".join(TRACE) + "␤")

    ((level, _, fields),) = events(caplog)
    assert logging.WARNING == level
    assert "\n".join(TRACE) == fields["trace"]


def test_a_stack_trace_of_many_lines_is_one_event(caplog: pytest.LogCaptureFixture) -> None:
    """The JVM prints an exception that nobody caught; a blank line is a part of it."""
    caplog.set_level(logging.DEBUG, logger="kcl")
    first = 'Exception in thread "main" ' + TRACE[0]

    log_all(first, *TRACE[1:], "", "Exit.")

    expected = [
        (logging.WARNING, first, {"cause": CAUSE, "trace": "\n".join([first, *TRACE[1:], ""])}),
        (logging.WARNING, "Exit.", {}),
    ]
    assert expected == events(caplog)


def test_an_exception_below_a_line_of_java_util_logging_belongs_to_it(caplog: pytest.LogCaptureFixture) -> None:
    """But not the exception after it."""
    caplog.set_level(logging.INFO, logger="kcl")

    log_all("WARNING com.amazon.Client no heartbeat", *TRACE, TRACE[0], "WARNING com.amazon.Client late", "a.b.C text")

    fields = {"logger": "Client", "error": ERROR, "cause": CAUSE}
    assert [
        (logging.WARNING, "no heartbeat", fields),
        (logging.WARNING, TRACE[0], {}),
        (logging.WARNING, "late", {"logger": "Client"}),
        (logging.WARNING, "a.b.C text", {}),
    ] == events(caplog)


def test_text_before_an_exception_is_another_event(caplog: pytest.LogCaptureFixture) -> None:
    """Two threads may print one after the other."""
    log_all("Picked up JAVA_TOOL_OPTIONS: -Dx=1", TRACE[0])

    assert ["Picked up JAVA_TOOL_OPTIONS: -Dx=1", TRACE[0]] == [message for _, message, _ in events(caplog)]


def test_a_stack_trace_of_python_is_its_last_line(caplog: pytest.LogCaptureFixture) -> None:
    """A processor that crashed; Python names the exception at the end."""
    caplog.set_level(logging.DEBUG, logger="kcl")
    trace = ["Traceback (most recent call last):", '  File "a.py", line 1, in <module>', "KeyError: 'x'"]

    log_all(*trace, "KeyError: 'y'")

    expected = [(logging.WARNING, "KeyError: 'x'", {"trace": "\n".join(trace)}), (logging.WARNING, "KeyError: 'y'", {})]
    assert expected == events(caplog)


def test_an_event_of_the_daemon_ends_the_text_before_it(caplog: pytest.LogCaptureFixture) -> None:
    """A stack trace that another thread interrupts is not mixed with its event, and the rest is no warning."""
    caplog.set_level(logging.DEBUG, logger="kcl")

    log_all(TRACE[0], TRACE[1], "WARN Scheduler is slow␞", TRACE[1])

    assert [
        (logging.WARNING, TRACE[0]),
        (logging.WARNING, "is slow"),
        (logging.DEBUG, TRACE[1]),
    ] == [(level, message) for level, message, _ in events(caplog)]


def test_an_event_of_the_daemon_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """It has only one line; text waits for the next line, which may belong to it."""
    daemon_log = DaemonLog()

    daemon_log.add("WARN Scheduler is slow␞")
    daemon_log.add("text")

    assert ["is slow"] == [message for _, message, _ in events(caplog)]


def test_blank_lines_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither empty lines nor spaces."""
    caplog.set_level(logging.DEBUG, logger="kcl")

    log_all("", "", "   ", "")

    assert [] == events(caplog)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.logger} {rule.start}".strip())
def test_a_rule_applies_to_its_logger_and_start_only(caplog: pytest.LogCaptureFixture, rule: Rule) -> None:
    """Another logger or another message keeps its level."""
    caplog.set_level(logging.DEBUG, logger="kcl")

    if rule.logger:
        log_all(f"WARN {rule.logger} {rule.start} and more␞")
        log_all(f"WARN {rule.logger} Not {rule.start}␞", f"WARN Other {rule.start}␞")
    else:
        log_all(f"{rule.start} and more")
        log_all(f"Not {rule.start}", f"WARN Other {rule.start}␞")

    assert [rule.level, logging.WARNING, logging.WARNING] == [level for level, _, _ in events(caplog)]


def test_leases_left_unassigned_are_expected_only_once_in_a_run(caplog: pytest.LogCaptureFixture) -> None:
    """The first assignment comes before the worker is known; if it stays so, somebody should look."""
    caplog.set_level(logging.DEBUG, logger="kcl")

    log_all(NOT_ASSIGNED, NOT_ASSIGNED, NOT_ASSIGNED)
    log_all(NOT_ASSIGNED)

    expected = [logging.DEBUG, logging.WARNING, logging.WARNING, logging.DEBUG]
    assert expected == [level for level, _, _ in events(caplog)]


@pytest.mark.parametrize(
    ("line", "is_ready"),
    [
        (INITIALISED, True),
        ("INFO Scheduler Initializing LeaseCoordinator␞", False),
        (INITIALISED.replace("Scheduler", "Other"), False),
        ("Initialization complete. Starting worker loop.", False),
    ],
)
def test_only_the_scheduler_makes_the_daemon_ready(line: str, is_ready: bool) -> None:
    """The daemon is ready once its scheduler says that the initialisation is complete."""
    assert is_ready == log_all(line).is_ready


def test_the_tail_holds_the_last_twenty_warnings() -> None:
    """The oldest first, and nothing below a warning."""
    lines = [line for number in range(25) for line in (f"WARN Test {number}␞", "INFO Test text␞")]

    assert [str(number) for number in range(5, 25)] == log_all(*lines).tail


def test_the_tail_tells_the_whole_event() -> None:
    """Message, exception and root cause, for the launcher's own error when the daemon ends."""
    daemon_log = log_all(
        "ERROR Scheduler gives up␞" + "␤".join(TRACE), "ERROR Scheduler ends␞a.b.SdkException: x", "text"
    )

    assert [f"gives up: {ERROR} (caused by {CAUSE})", "ends: SdkException: x", "text"] == daemon_log.tail
