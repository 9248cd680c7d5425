"""Flow log events that a transformer of CloudWatch Logs has turned into JSON.

`{"version":2,"srcAddr":"192.0.2.0","packets":20,"logStatus":"OK",…}`: the
fields of the line under names of another spelling, numbers as numbers. What
is JSON of another kind raises `Malformed`.

Source: "parseVPC", CloudWatch Logs User Guide.
"""

from __future__ import annotations

import msgspec

from kcl_flowlog.counting.flow_record import FIELDS, NONE, FlowRecord, record_of
from kcl_flowlog.errors import Malformed

# srcAddr, pktSrcAddr, flowDirection …: the names without their hyphens, in some mixture of capitals.
_NAMES = {name.replace("-", ""): name for name in FIELDS}
# At least one of these is in every flow log; JSON without them is something else's.
_TELLING = frozenset(("interface-id", "srcaddr", "dstaddr", "log-status"))
# Larger ones are no field's, and may be too long to be spelt.
_MOST = 10**18


def is_transformed(message: str) -> bool:
    """Say whether a message is JSON rather than a line."""
    return message.startswith("{")


def parse(message: str) -> FlowRecord:
    """Return the record of a JSON message. Raises `Malformed`."""
    try:
        value = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Malformed("message_not_json") from None
    fields = {}
    if isinstance(value, dict):
        for key, word in value.items():
            name = _NAMES.get(key.replace("_", "").replace("-", "").lower())
            if name is not None:
                fields[name] = _word(word)
    if _TELLING.isdisjoint(fields):
        raise Malformed("message_not_flow_log")
    return record_of(fields)


def _word(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return NONE
    if type(value) is int and abs(value) < _MOST:
        return str(value)
    raise Malformed("bad_number")
