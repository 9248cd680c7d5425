"""Writes the log to stderr: one line for each event, as logfmt or JSON, with nothing in it that a terminal obeys.

Pass data as fields, which become keys of the line: `log.info("Lease lost", extra={"fields": {"shard_id": shard_id}})`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback

from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.timestamps import utc_timestamp

_COMPONENTS = {"kcl": "kcl", "kcl_flowlog.processor": "processor"}
_LIBRARIES = ("boto3", "botocore", "urllib3")


def configure(level: str, form: str) -> None:
    """Send the log of this process to stderr, from `level` up; `form` is `logfmt` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(form))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # They log each endpoint at INFO, and whole requests at DEBUG.
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))
    # It logs each failed refresh with a trace; whoever asked for it logs it in one line.
    logging.getLogger("botocore.credentials").setLevel(logging.ERROR)


class Formatter(logging.Formatter):
    """Formats a record as one line."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        event = {
            "time": utc_timestamp(record.created),
            "level": record.levelname.lower(),
            "component": _COMPONENTS.get(record.name, "launcher"),
            "msg": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            event["trace"] = "".join(traceback.format_exception(*record.exc_info)).strip()
        if self._form == "json":
            return escape_unprintable(json.dumps(event, ensure_ascii=False, default=str))
        return escape_unprintable(" ".join(f"{key}={_quoted(str(value))}" for key, value in event.items()))


def _quoted(value: str) -> str:
    if re.fullmatch(r"[^\s\"=\\]+", value) and value.isprintable():
        return value
    return json.dumps(value, ensure_ascii=False)
