"""The log lines on stderr."""

import json
import logging
import sys

import pytest

from kcl_flowlog import logs
from kcl_flowlog.logs import Formatter


@pytest.fixture
def root():
    """The root logger, and the libraries', as they were afterwards."""
    loggers = [logging.getLogger(name) for name in ("", "boto3", "botocore", "urllib3")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield loggers[0]
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


def a_record(message="Started", name="kcl_flowlog.launcher.instance", level=logging.INFO, fields=None, exc_info=None):
    record = logging.LogRecord(name, level, "launcher.py", 1, message, None, exc_info)
    record.created = 1769860800.1239
    if fields is not None:
        record.fields = fields
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
        (a_record(name="kcl"), f"{HEAD} component=kcl msg=Started"),
        (a_record(name="kcl_flowlog.processor"), f"{HEAD} component=processor msg=Started"),
        (
            a_record(fields={"shard": "shardId-0", "n": 3}),
            f"{HEAD} component=launcher msg=Started shard=shardId-0 n=3",
        ),
    ],
)
def test_logfmt_is_one_line_of_keys_and_quoted_values(record, line):
    """Whatever a message holds, its event is one line that a logfmt reader takes apart again."""
    assert Formatter("logfmt").format(record) == line


def test_json_is_one_object_in_one_line():
    """The JSON form has the same keys, and fields beside them."""
    line = Formatter("json").format(a_record("two\n“lines”", level=logging.WARNING, fields={"shard": "shardId-0"}))

    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-01-31T12:00:00.123Z",
        "level": "warning",
        "component": "launcher",
        "msg": "two\n“lines”",
        "shard": "shardId-0",
    }


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_traceback_stays_within_the_line(form):
    """An exception's traceback is one value of the line."""
    try:
        raise ValueError("bad")
    except ValueError:
        line = Formatter(form).format(a_record(exc_info=sys.exc_info()))
    assert "\n" not in line
    assert r"ValueError: bad" in line


def test_configured_logs_go_to_stderr_from_their_level_up(root, capsys):
    """Lines below the level are dropped, the others are on stderr once, and stdout stays clean for denials."""
    logs.configure("warning", "logfmt")
    logs.configure("warning", "logfmt")

    root.info("quiet")
    root.warning("loud")

    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(" ")[2] for line in err.splitlines()] == ["level=warning component=launcher msg=loud"]


@pytest.mark.parametrize(("level", "libraries"), [("debug", logging.WARNING), ("error", logging.ERROR)])
def test_the_libraries_of_aws_keep_quiet(root, level, libraries):
    """At level debug our own lines are wanted, not whole requests with their headers."""
    logs.configure(level, "logfmt")
    assert {logging.getLogger(name).level for name in ("boto3", "botocore", "urllib3")} == {libraries}
