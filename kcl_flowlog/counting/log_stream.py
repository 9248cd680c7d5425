"""Log streams of CloudWatch Logs, and what the name of one tells.

A flow log writes each interface's records to a log stream of its own, named
by the interface: `eni-0123456789abcdef0-all`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kcl_flowlog.counting.flow_record import NONE

_INTERFACE = re.compile(r"eni-\w+")


class LogStream(NamedTuple):
    """A log stream and the log group it is in; `owner` is the account of the log group, empty where not known."""

    owner: str
    log_group: str
    name: str

    @property
    def interface_id(self) -> str:
        """The interface that it is named by, or `-`."""
        match = _INTERFACE.match(self.name)
        return match[0] if match is not None else NONE


NOWHERE = LogStream("", "", "")
"""The log stream of lines that come from none."""
