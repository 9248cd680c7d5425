"""Flow log events in JSON: transformed by CloudWatch Logs, or a line that an agent has wrapped.

`{"version":2,"srcAddr":"192.0.2.0","packets":20,"logStatus":"OK",…}`: the
fields of a line under differently spelled names, numbers as numbers.
`{"message":"2 123456789010 eni-…",…}`: a line, beside fields of the agent. Any
other JSON raises `Malformed`, as Route 53's query logs and CloudTrail's events,
though they have names in common with flow logs.

Source: "parseVPC", CloudWatch Logs User Guide.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kcl_flowlog.counting import transit_gateway
from kcl_flowlog.counting.field_names import field_of
from kcl_flowlog.counting.fields import FIELDS, KINDS, NO_VALUE
from kcl_flowlog.counting.flow_record import WITHOUT_FLOW, FlowRecord, record_from_fields
from kcl_flowlog.errors import Malformed, Unsupported

_ENDS = frozenset(("srcaddr", "dstaddr"))
# Of what, and how much: JSON with one of each is a flow log, too.
_SUBJECTS = frozenset((*_ENDS, "interface-id", "subnet-id"))
_MEASURES = frozenset(("log-status", "packets", "bytes", "action", "flow-direction"))
# Logs of another kind have these names as well, but other values.
_TELLING = ("version", "type")
# Configuration items of any resource have `resourceType`.
_TRANSIT = transit_gateway.FIELDS - {"resource-type"}
# No field holds a larger number, and Python refuses to write very long numbers.
_MAX_NUMBER = 10**18

_decode = msgspec.json.Decoder(dict[str, object]).decode


def is_json(message: str) -> bool:
    """Tell whether a message is JSON rather than a line."""
    return message.startswith("{")


def read(message: str) -> FlowRecord | str:
    """Return the record of a JSON message, or the line that it wraps. Raises `Malformed` or `Unsupported`."""
    found = _fields(message)
    return found if isinstance(found, str) else _record(found)


def words_by_field(message: str) -> Mapping[str, str] | str:
    """Return the words of a JSON message that has a record, or the line that it wraps. Raises `Malformed`."""
    found = _fields(message)
    return found if isinstance(found, str) else {name: word for name, word in found.items() if word is not None}


def _fields(message: str) -> Mapping[str, str | None] | str:
    """Return the fields of a JSON message, None for what no line could have; or the line that the message wraps."""
    try:
        values = _decode(str(message))  # msgspec takes no subclass of str
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Malformed("message_not_json") from None
    fields = {name: _word(value) for key, value in values.items() if (name := field_of(key)) is not None}
    if _is_flow_log(fields):
        return fields
    wrapped = values.get("message")
    if isinstance(wrapped, str):
        return wrapped
    raise Malformed("message_not_flow_log")


def _is_flow_log(fields: Mapping[str, str | None]) -> bool:
    for name in _TELLING:
        word = fields.get(name, NO_VALUE)
        if word != NO_VALUE and (word is None or not KINDS[FIELDS[name].kind](word)):
            return False
    if fields.get("log-status") in WITHOUT_FLOW or fields.keys() >= _ENDS:
        return True
    return not (_SUBJECTS.isdisjoint(fields) or _MEASURES.isdisjoint(fields))


def _record(fields: Mapping[str, str | None]) -> FlowRecord:
    if not _TRANSIT.isdisjoint(fields):
        raise Unsupported
    if fields.get("log-status") in WITHOUT_FLOW:
        return WITHOUT_FLOW[fields["log-status"] or ""]
    words = {name: word for name, word in fields.items() if word is not None}
    if len(words) < len(fields):
        raise Malformed("bad_number")
    return record_from_fields(words)


def _word(value: object) -> str | None:
    """Return a value as a line would have it; None if no line could have it."""
    if isinstance(value, str):
        return value
    if value is None:
        return NO_VALUE
    if isinstance(value, float) and value.is_integer():
        value = int(value) if abs(value) < _MAX_NUMBER else None
    # Not a bool, which is an int as well.
    return str(value) if type(value) is int and abs(value) < _MAX_NUMBER else None
