"""Flow log events that a CloudWatch Logs transformer has turned into JSON.

`{"version":2,"srcAddr":"192.0.2.0","packets":20,"logStatus":"OK",…}`: the
fields of a line under differently spelled names, numbers as numbers. Any
other JSON raises `Malformed`.

Source: "parseVPC", CloudWatch Logs User Guide.
"""

from __future__ import annotations

import msgspec

from kcl_flowlog.counting.fields import FIELDS, NO_VALUE
from kcl_flowlog.counting.flow_record import FlowRecord, record_from_fields
from kcl_flowlog.errors import Malformed

# srcAddr, pktSrcAddr, flowDirection …: the names without hyphens, in upper and lower case.
_NAMES = {name.replace("-", ""): name for name in FIELDS}
# Every flow log has at least one of these; JSON without them is something else.
_TYPICAL = frozenset(("interface-id", "srcaddr", "dstaddr", "log-status"))
# No field holds a larger number, and Python refuses to write very long numbers.
_MAX_NUMBER = 10**18

_decode = msgspec.json.Decoder(dict[str, object]).decode


def is_transformed(message: str) -> bool:
    """Tell whether a message is JSON rather than a line."""
    return message.startswith("{")


def parse(message: str) -> FlowRecord:
    """Return the record of a JSON message. Raises `Malformed`."""
    try:
        values = _decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Malformed("message_not_json") from None
    fields = {}
    for key, value in values.items():
        name = _NAMES.get(key.replace("_", "").replace("-", "").lower())
        if name is not None:
            fields[name] = _word(value)
    if _TYPICAL.isdisjoint(fields):
        raise Malformed("message_not_flow_log")
    return record_from_fields(fields)


def _word(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return NO_VALUE
    if type(value) is int and abs(value) < _MAX_NUMBER:
        return str(value)
    raise Malformed("bad_number")
