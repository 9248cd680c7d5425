"""Log streams of CloudWatch Logs, and the interface that a log stream is named after.

A flow log writes the records of each interface to a separate log stream, such
as `eni-0123456789abcdef0-all`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kcl_flowlog.counting.fields import NO_VALUE

MAX_NAME_LENGTH = 512
"""The longest name of a log group or log stream that CloudWatch Logs allows."""

_INTERFACE = re.compile(r"eni-\w{1,64}(?![^-])", re.ASCII)


class LogStream(NamedTuple):
    """A log stream in a log group; `owner` is the account of the log group, empty if not known."""

    owner: str
    log_group: str
    name: str

    @property
    def interface_id(self) -> str:
        """The interface that it is named after, or `-`."""
        match = _INTERFACE.match(self.name)
        return match[0] if match is not None else NO_VALUE


NO_LOG_STREAM = LogStream("", "", "")
"""For lines that come without a log stream."""
