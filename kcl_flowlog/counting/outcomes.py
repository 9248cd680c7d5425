"""What can become of a payload and of a log event: the words that labels use.

Every payload ends as exactly one of `PAYLOAD_OUTCOMES`, every log event as
exactly one of `EVENT_OUTCOMES`, and whatever is malformed also has a reason:
a payload that is malformed or partial one that starts with `payload_`.
Nothing here counts; the tables only say which words exist and what they mean,
so that the counters, the metrics page and the documentation can't disagree.
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


class Word(NamedTuple):
    """What a word means, and what an operator can do about it; nothing where all is well."""

    meaning: str
    advice: str = ""


EVENT_OUTCOMES: Final = {
    COUNTED: Word("A flow record, counted for a subnet."),
    NODATA: Word("The interface had no traffic in the interval."),
    SKIPDATA: Word(
        "AWS skipped flow records in the interval: traffic that no one can count.",
        "The only sign of it there is. If it stays, AWS's capacity or an internal error is the cause.",
    ),
    MALFORMED: Word(
        "Not a flow log line of an expected format.",
        "See the reason in flowlog_malformed_total, and the lines in the dead letters.",
    ),
    UNSUPPORTED: Word(
        "A record of a Transit Gateway, which has neither an action nor a subnet.",
        "Subscribe only the log groups of VPC flow logs, unless it is wanted that way.",
    ),
    UNATTRIBUTED: Word(
        "A flow record whose subnet could not be found out.",
        "Add ${subnet-id} to the format, permit ec2:DescribeNetworkInterfaces, or name the account's --inventory-role.",
    ),
    DUPLICATE: Word(
        "An event of a payload that was delivered again, and had been counted before.",
        "A few are normal. Many: the log group has two subscriptions to this stream, its own and the account's.",
    ),
}

DATA: Final = "data"
PLAIN: Final = "plain"
BASE64: Final = "base64"
PARTIAL: Final = "partial"
CONTROL: Final = "control"

# The first that is true of a payload is its outcome.
PAYLOAD_OUTCOMES: Final = {
    MALFORMED: Word(
        "Not a CloudWatch Logs envelope; none of it could be read.",
        "Something else writes to the stream; its dead letters show what.",
    ),
    PARTIAL: Word(
        "Envelopes that were read, and beside them something that could not be.",
        "Some forwarder breaks off or mixes; the dead letters hold only what could not be read.",
    ),
    DATA: Word("A CloudWatch Logs envelope with log events, as CloudWatch Logs sends it: gzip'd."),
    PLAIN: Word("The same, but not compressed."),
    BASE64: Word("The same, but with base64 around it."),
    DUPLICATE: Word("A CloudWatch Logs envelope that was delivered again; it is not counted twice."),
    CONTROL: Word("CloudWatch Logs checked that it can reach the stream."),
}

_FORMAT_ADVICE = "Give the log group's --flow-log-format, or permit ec2:DescribeFlowLogs in the account that has it."
_DAMAGE_ADVICE = "A sender other than CloudWatch Logs, or damage on the way."
_FIELD_ADVICE = "Mostly a line of another format: see field_count. Else the sender is not AWS."

# Reasons of payloads start with `payload_`, so that the others add up to the malformed events.
MALFORMED_REASONS: Final = {
    "payload_encoding": Word("The payload is neither gzip data nor JSON, as it is or in base64.", _DAMAGE_ADVICE),
    "payload_damaged": Word("The payload's gzip data is cut short or damaged.", _DAMAGE_ADVICE),
    "payload_too_large": Word(
        "The payload inflates past --payload-limit, or holds over a thousand envelopes.",
        "CloudWatch Logs sends nothing of the kind. If the sender is yours, raise the limit.",
    ),
    "payload_not_json": Word("What the payload holds is not JSON.", _DAMAGE_ADVICE),
    "payload_not_envelope": Word(
        "The JSON is not a CloudWatch Logs envelope.",
        "Something else writes to the stream; the dead letters show what.",
    ),
    "payload_poison": Word(
        "Three processors died in turn with this record in hand; it was passed over.",
        "A fault of kcl-flowlog, or too little memory. Its dead letter holds the whole payload: replay it, report it.",
    ),
    "payload_message_type": Word(
        "The envelope's messageType is neither DATA_MESSAGE nor CONTROL_MESSAGE.",
        "Perhaps a kind that AWS has added: look for a newer version of kcl-flowlog.",
    ),
    "not_text": Word("The log event has no text message.", _DAMAGE_ADVICE),
    "message_not_json": Word(
        "The message starts like JSON, and is not valid.", "Something else writes to the log group."
    ),
    "message_not_flow_log": Word(
        "The message is JSON, but not of a flow log.",
        "Something else writes to the log group, or its transformer is not parseVPC.",
    ),
    "field_count": Word("The line has more or fewer fields than any format of its log group.", _FORMAT_ADVICE),
    "format_unfit": Word(
        "The line has as many fields as several formats of its log group, and fits none of them.", _FORMAT_ADVICE
    ),
    "format_undecided": Word(
        "The line fits several formats of its log group, which do not say the same.",
        "Give the flow logs formats that differ in length, or a log group each.",
    ),
    "bad_number": Word("A field of the line that should hold a number, or a time, does not.", _FIELD_ADVICE),
    "bad_address": Word("An address of the line is neither IPv4 nor IPv6.", _FIELD_ADVICE),
    "bad_protocol": Word("The protocol is not an IANA number from 0 to 255.", _FIELD_ADVICE),
    "bad_action": Word("The action is neither ACCEPT nor REJECT.", _FIELD_ADVICE),
    "bad_status": Word("The log status is none of OK, NODATA, SKIPDATA.", _FIELD_ADVICE),
    "bad_direction": Word("The flow direction is neither ingress nor egress.", _FIELD_ADVICE),
    "bad_subnet": Word("The subnet-id field does not hold the id of a subnet.", _FIELD_ADVICE),
}
