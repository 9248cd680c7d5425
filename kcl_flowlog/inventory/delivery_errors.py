"""Why a flow log does not deliver, as EC2 describes it. Pure."""

from __future__ import annotations

from typing import Any

DELIVERY_ERRORS = {
    "access_error": "`Access error`: the role of the flow log may not write to the log group; correct its policy.",
    "rate_limited": "`Rate limited`: CloudWatch Logs throttles, or the account has no room for another log group; raise"
    " the quota.",
    "unknown_error": "`Unknown error`, or a failure that EC2 does not explain; create the flow log again.",
}
"""The reasons of flowlog_flow_log_delivery_errors."""

_BY_MESSAGE = {"access error": "access_error", "rate limited": "rate_limited"}
_FAILED = "FAILED"


def delivery_error(item: dict[str, Any]) -> str:
    """Return the reason by which EC2's description of a flow log says that it fails, empty if it delivers."""
    message = item.get("DeliverLogsErrorMessage", "")
    if not message and item.get("DeliverLogsStatus") != _FAILED:
        return ""
    return _BY_MESSAGE.get(message.strip().lower(), "unknown_error")
