"""The log lines on stderr."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import pytest

from kcl_flowlog import logs
from kcl_flowlog.logs import Formatter

LIBRARIES = ("boto3", "botocore", "urllib3")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Give the root logger; afterwards it and those of the libraries are as before."""
    loggers = [logging.getLogger(name) for name in ("", *LIBRARIES, "botocore.credentials")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield loggers[0]
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


def a_record(
    message: str = "Started",
    name: str = "kcl_flowlog.launcher.instance",
    level: int = logging.INFO,
    fields: dict[str, Any] | None = None,
    exc_info: ExcInfo | None = None,
) -> logging.LogRecord:
    record = logging.LogRecord(name, level, "launcher.py", 1, message, None, exc_info)
    record.created = 1769860800.1239
    if fields is not None:
        record.__dict__["fields"] = fields
    return record


HEAD = "time=2026-01-31T12:00:00.123Z level=info"


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (a_record(), f"{HEAD} component=launcher msg=Started"),
        (a_record("two words"), f'{HEAD} component=launcher msg="two words"'),
        (a_record(""), f'{HEAD} component=launcher msg=""'),
        (a_record('a "b" \\ c=d'), HEAD + r' component=launcher msg="a \"b\" \\ c=d"'),
        (a_record("two\nlines"), HEAD + r' component=launcher msg="two\nlines"'),
        (a_record("\x1b[31mred"), HEAD + r' component=launcher msg="\u001b[31mred"'),
        (a_record("größe"), f"{HEAD} component=launcher msg=größe"),
        (a_record("große Größe"), f'{HEAD} component=launcher msg="große Größe"'),
        (a_record(name="kcl"), f"{HEAD} component=kcl msg=Started"),
        (a_record(name="kcl_flowlog.processor"), f"{HEAD} component=processor msg=Started"),
        (
            a_record(fields={"shard": "shardId-0", "n": 3}),
            f"{HEAD} component=launcher msg=Started shard=shardId-0 n=3",
        ),
        (a_record(fields={"error": ValueError("a b")}), f'{HEAD} component=launcher msg=Started error="a b"'),
    ],
)
def test_logfmt_is_one_line_of_keys_and_quoted_values(record: logging.LogRecord, line: str) -> None:
    """Whatever a message holds, its event is a line that a logfmt reader takes apart again."""
    assert line == Formatter("logfmt").format(record)


def test_json_is_one_object_in_one_line() -> None:
    """It has the same keys as logfmt, and numbers stay numbers."""
    fields = {"shard": "shardId-0", "n": 3, "error": ValueError("bad")}

    line = Formatter("json").format(a_record("two\n“lines”", level=logging.WARNING, fields=fields))

    assert "\n" not in line
    assert "“lines”" in line
    assert {
        "time": "2026-01-31T12:00:00.123Z",
        "level": "warning",
        "component": "launcher",
        "msg": "two\n“lines”",
        "shard": "shardId-0",
        "n": 3,
        "error": "bad",
    } == json.loads(line)


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_traceback_stays_within_the_line(form: str) -> None:
    """An exception's traceback is the value of a key."""
    try:
        raise ValueError("bad")
    except ValueError:
        line = Formatter(form).format(a_record(exc_info=sys.exc_info()))

    assert "\n" not in line
    assert ("trace=" if form == "logfmt" else '"trace": ') in line
    assert r"(most recent call last):\n  File" in line
    assert line.rstrip('}"').endswith("ValueError: bad")


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_configured_logs_go_to_stderr_from_their_level_up(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """Lines below the level are dropped, the others appear once, and stdout stays free for denials."""
    logs.configure("warning", form)
    logs.configure("warning", form)

    root.info("quiet")
    root.warning("loud")

    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert ("loud" in line, line.startswith("{")) == (True, form == "json")


@pytest.mark.parametrize(("level", "libraries"), [("debug", logging.WARNING), ("error", logging.ERROR)])
def test_the_libraries_of_aws_log_only_warnings(root: logging.Logger, level: str, libraries: int) -> None:
    """At debug, whole requests with their headers would drown the rest."""
    logs.configure(level, "logfmt")

    assert {libraries} == {logging.getLogger(name).level for name in LIBRARIES}
