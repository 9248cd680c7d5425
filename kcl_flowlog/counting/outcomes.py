"""The outcomes of payloads and log events: the values of the metrics' labels.

Each payload has exactly one of `PAYLOAD_OUTCOMES`, each log event exactly one
of `EVENT_OUTCOMES`. Malformed data also has a reason, which starts with
`payload_` if the payload is malformed or partial. Nothing here counts; the
counters, the metrics and the documentation all use these tables.
"""

from __future__ import annotations

from typing import Final, NamedTuple

COUNTED: Final = "counted"
NODATA: Final = "nodata"
SKIPDATA: Final = "skipdata"
MALFORMED: Final = "malformed"
UNSUPPORTED: Final = "unsupported"
UNATTRIBUTED: Final = "unattributed"
DUPLICATE: Final = "duplicate"
IGNORED: Final = "ignored"


class Word(NamedTuple):
    """The meaning of a word, and what an operator can do about it, empty if all is well."""

    meaning: str
    advice: str = ""


EVENT_OUTCOMES: Final = {
    COUNTED: Word("A flow record, counted for a subnet."),
    NODATA: Word("The interface had no traffic in the interval."),
    SKIPDATA: Word(
        "AWS skipped flow records in the interval, so some traffic is not counted.",
        "There is no other sign of it. If it persists, the cause is AWS's capacity or an internal error.",
    ),
    MALFORMED: Word(
        "Not a flow log line of an expected format.",
        "See the reason in flowlog_malformed_total, and the lines in the dead letters.",
    ),
    UNSUPPORTED: Word(
        "A record of a Transit Gateway, which has neither an action nor a subnet.",
        "Subscribe only the log groups of VPC flow logs, unless this is intended.",
    ),
    UNATTRIBUTED: Word(
        "A flow record whose subnet is not known.",
        "Add ${subnet-id} to the format, permit ec2:DescribeNetworkInterfaces, or give the account's --inventory-role.",
    ),
    DUPLICATE: Word(
        "An event of an envelope that was delivered again and had been counted before.",
        "A few are normal. If there are many, both the log group and its account have a subscription to this stream.",
    ),
    IGNORED: Word(
        "An event of a log group that --log-group does not choose; it was not read.",
        "If a subscription of the account sends many, exclude the log groups in its selection criteria.",
    ),
}

DATA: Final = "data"
PLAIN: Final = "plain"
BASE64: Final = "base64"
PARTIAL: Final = "partial"
CONTROL: Final = "control"

# The first outcome that applies to a payload is its outcome.
PAYLOAD_OUTCOMES: Final = {
    MALFORMED: Word(
        "Not a CloudWatch Logs envelope; none of it could be read.",
        "Something else writes to the stream; the dead letters show what.",
    ),
    PARTIAL: Word(
        "Some envelopes were read, and something else could not be read.",
        "A forwarder cuts payloads short or mixes them; the dead letters hold only the parts that could not be read.",
    ),
    DATA: Word("A CloudWatch Logs envelope with log events, compressed with gzip, as CloudWatch Logs does, or zlib."),
    PLAIN: Word("The same, but not compressed."),
    BASE64: Word("The same, but encoded in base64."),
    DUPLICATE: Word("A CloudWatch Logs envelope that was delivered again; it is not counted twice."),
    CONTROL: Word("CloudWatch Logs checked that it can reach the stream."),
}

_FORMAT_ADVICE = "Give --flow-log-format for the log group, or permit ec2:DescribeFlowLogs in its account."
_DAMAGE_ADVICE = "The sender is not CloudWatch Logs, or the data was damaged on the way."
_FIELD_ADVICE = "Usually a line of another format: see field_count. Otherwise the sender is not AWS."

# The reasons of payloads start with `payload_`, so that the others add up to the malformed events.
MALFORMED_REASONS: Final = {
    "payload_encoding": Word(
        "The payload is neither gzip or zlib data nor JSON, nor base64 of either.", _DAMAGE_ADVICE
    ),
    "payload_damaged": Word("The payload's compressed data is cut short or damaged.", _DAMAGE_ADVICE),
    "payload_too_large": Word(
        "The payload, or the rest of it, would take more than four times --payload-limit of memory, or too much time.",
        "CloudWatch Logs sends no such payload. If the sender is yours, raise the limit.",
    ),
    "payload_not_json": Word("The content of the payload is not JSON.", _DAMAGE_ADVICE),
    "payload_not_envelope": Word(
        "The JSON is not a CloudWatch Logs envelope.",
        "Something else writes to the stream; the dead letters show what.",
    ),
    "payload_poison": Word(
        "Three processors in a row died while they counted this record; it was skipped.",
        "A fault of kcl-flowlog, or too little memory. The dead letter holds the whole payload; replay and report it.",
    ),
    "payload_message_type": Word(
        "The envelope's messageType is neither DATA_MESSAGE nor CONTROL_MESSAGE.",
        "AWS may have added a type; look for a newer version of kcl-flowlog.",
    ),
    "not_text": Word("The log event has no text message.", _DAMAGE_ADVICE),
    "message_too_long": Word("The message has over 65,536 characters.", "Something else writes to the log group."),
    "message_not_json": Word(
        "The message starts like JSON, but is not valid.", "Something else writes to the log group."
    ),
    "message_not_flow_log": Word(
        "The message is JSON, but not a flow log record.",
        "Something else writes to the log group, such as Route 53 or CloudTrail, or its transformer is not parseVPC.",
    ),
    "field_count": Word("The line has more or fewer fields than each format of its log group.", _FORMAT_ADVICE),
    "format_unfit": Word(
        "The line has the number of fields of several formats of its log group, but fits none of them.", _FORMAT_ADVICE
    ),
    "format_undecided": Word(
        "The line fits several formats of its log group, which read it differently.",
        "Give the flow logs formats of different length, or separate log groups.",
    ),
    "bad_number": Word("A field of the line that should hold a number or a time does not.", _FIELD_ADVICE),
    "bad_address": Word("An address of the line is neither IPv4 nor IPv6.", _FIELD_ADVICE),
    "bad_protocol": Word("The protocol is not an IANA number from 0 to 255.", _FIELD_ADVICE),
    "bad_action": Word("The action is neither ACCEPT nor REJECT.", _FIELD_ADVICE),
    "bad_status": Word("The log status is not OK, NODATA or SKIPDATA.", _FIELD_ADVICE),
    "bad_direction": Word("The flow direction is neither ingress nor egress.", _FIELD_ADVICE),
    "bad_subnet": Word("The subnet-id field does not hold the id of a subnet.", _FIELD_ADVICE),
    "bad_vpc": Word("The vpc-id field does not hold the id of a VPC.", _FIELD_ADVICE),
    "bad_interface": Word("The interface-id field does not hold the id of a network interface.", _FIELD_ADVICE),
}
