"""Turns the daemon's output into log records: one for each event, at the level that suits an operator.

The daemon prints three kinds of lines: its own log, in the pattern of properties/logback.xml; that of some libraries,
in `JUL_FORMAT`; and plain text of the JVM or of a crashed processor, such as a stack trace. An exception becomes its
class and message. The whole stack trace is added only at debug.

Knows nothing of processes. Logs text that it can't parse as it is, at WARNING, because it may come from a crash.
"""

from __future__ import annotations

import logging
import re
from typing import NamedTuple

log = logging.getLogger("kcl")

JUL_FORMAT = "%4$s %3$s %5$s%6$s%n"
"""What java.util.logging has to print: level, logger and message in a line, and below it the stack trace, if any."""

_INITIALISED = "Initialization complete. Starting worker loop."
_RECORD = re.compile(
    r"(TRACE|DEBUG|INFO|WARN|ERROR|FINEST|FINER|FINE|CONFIG|WARNING|SEVERE) (?:[\w$]+\.)*(\S+) (.*?)(?:␞(.*))?"
)
# They stand for the start of the stack trace and for a newline in properties/logback.xml.
_TRACE_MARK, _NEWLINE_MARK = "␞", "␤"
# The KCL tries again after most of its errors. If that is in vain, the daemon ends: the error that the launcher logs.
_WARNINGS = {"WARN", "ERROR", "WARNING", "SEVERE"}
_EXCEPTION = re.compile(r"(?:[a-z]\w*\.)+[A-Z][\w$]*(?::|$)")
_PACKAGE = re.compile(r"\b(?:[a-z]\w*\.)+(?=[A-Z][\w$]*(?:Exception|Error)\b)")
_CAUSED_BY = "Caused by: "
_PYTHON_TRACE = "Traceback (most recent call last):"
_TAIL = 20


class Rule(NamedTuple):
    """The level of events by their logger and the start of their message; if `only_first`, of the first in a run."""

    logger: str
    start: str
    level: int
    only_first: bool = False


RULES = (
    Rule("Scheduler", _INITIALISED, logging.INFO),
    # The first assignment comes before the worker has reported itself; the next are real.
    Rule("LeaseAssignmentManager", "Not able to assign all expiredOrUnAssignedLeases", logging.DEBUG, only_first=True),
    # Part of every stop: no metric is dropped.
    Rule("CloudWatchPublisherRunnable", "Dropping metrics [] because", logging.DEBUG),
    # The AWS SDK raises the failure of the request as well.
    Rule("DefaultChannelPipeline", "An exceptionCaught() event was fired", logging.DEBUG),
    # What follows the stack trace of an error in the properties.
    Rule("", "java.lang.reflect.InvocationTargetException", logging.DEBUG),
    Rule("", "Usage: amazon-kinesis-client MultiLangDaemon", logging.DEBUG),
    Rule("", "For more information, visit: https://github.com/awslabs/", logging.DEBUG),
)


class Event(NamedTuple):
    """An event of the daemon; `level` and `logger` are empty if it is plain text.

    `error` is the class and message of an exception, and `cause` those of its root cause if they add anything. `trace`
    has the lines of the stack trace.
    """

    level: str
    logger: str
    message: str
    error: str
    cause: str
    trace: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole event in a sentence."""
        text = f"{self.message}: {self.error}" if self.error else self.message
        return f"{text} (caused by {self.cause})" if self.cause else text


class DaemonLog:
    """The log of one run of the daemon.

    `is_ready` says whether the daemon is initialised; `tail` holds the texts of the last warnings, the oldest first.
    """

    def __init__(self) -> None:
        self.is_ready = False
        self.tail: list[str] = []
        self._pending: list[str] = []
        self._seen: set[Rule] = set()

    def add(self, line: str) -> None:
        """Log a line of the output, given without its end; text that may go on waits for the next line."""
        if _TRACE_MARK in line:
            self.flush()
            self._log(parse([line]))
        elif self._pending and _continues(self._pending, line):
            self._pending.append(line)
        else:
            self.flush()
            self._pending = [line]

    def flush(self) -> None:
        """Log the text that waits for the next line; call it at the end of the output."""
        lines, self._pending = self._pending, []
        if lines and lines[0].strip():
            self._log(parse(lines))

    def _log(self, event: Event) -> None:
        if event.logger == "Scheduler" and event.message.startswith(_INITIALISED):
            self.is_ready = True
        level = self._level(event)
        if level >= logging.WARNING:
            # A new list, because another thread may be reading the old list.
            self.tail = [*self.tail[1 - _TAIL :], event.text]
        fields = {"logger": event.logger, "error": event.error, "cause": event.cause}
        if log.isEnabledFor(logging.DEBUG):
            fields["trace"] = "\n".join(event.trace)
        present = {name: value for name, value in fields.items() if value}
        log.log(level, "%s", event.message, extra={"fields": present})

    def _level(self, event: Event) -> int:
        for rule in RULES:
            if event.logger == rule.logger and event.message.startswith(rule.start) and rule not in self._seen:
                if rule.only_first:
                    self._seen.add(rule)
                return rule.level
        if not event.level:
            # The rest of a stack trace that another line had interrupted begins with a space.
            return logging.DEBUG if event.message[0].isspace() else logging.WARNING
        return logging.WARNING if event.level in _WARNINGS else logging.DEBUG


def parse(lines: list[str]) -> Event:
    """Return the event that these lines tell of: its first line, and the lines of its stack trace."""
    record = _RECORD.fullmatch(lines[0])
    if record is None:
        return _plain_text(lines)
    level, logger, message, trace = record.groups(default="")
    trace_lines = tuple(trace.strip(_NEWLINE_MARK).split(_NEWLINE_MARK)) if trace else tuple(lines[1:])
    error = _without_packages(trace_lines[0]) if trace_lines else ""
    message = " ".join(message.replace(_NEWLINE_MARK, " ").split())
    return Event(level, logger, message, error, _root_cause(trace_lines, error), trace_lines)


def _plain_text(lines: list[str]) -> Event:
    # Python ends a stack trace with the exception, Java begins with it.
    message = lines[-1] if lines[0] == _PYTHON_TRACE else lines[0]
    trace = tuple(lines) if len(lines) > 1 else ()
    return Event("", "", message, "", _root_cause(trace, message), trace)


def _continues(lines: list[str], line: str) -> bool:
    """Say whether a line belongs to the same event as the lines before it."""
    if not line or line[0].isspace() or line.startswith(_CAUSED_BY):
        return True
    if lines[0] == _PYTHON_TRACE:
        return lines[-1][:1].isspace()
    return len(lines) == 1 and _RECORD.fullmatch(lines[0]) is not None and _EXCEPTION.match(line) is not None


def _root_cause(trace: tuple[str, ...], text: str) -> str:
    """Return the last cause in a stack trace, empty if `text` already says it."""
    causes = [line for line in trace if line.startswith(_CAUSED_BY)]
    if not causes:
        return ""
    cause = _without_packages(causes[-1].removeprefix(_CAUSED_BY))
    kind, _, message = cause.partition(": ")
    return "" if (message or kind) in text else cause


def _without_packages(text: str) -> str:
    return _PACKAGE.sub("", text)
