"""What can become of a payload and of a log event: the words that labels use.

Every payload ends as exactly one of `PAYLOAD_OUTCOMES`, every log event as
exactly one of `EVENT_OUTCOMES`, and whatever is malformed also has a reason:
a payload that is malformed or partial one that starts with `payload_`.
Nothing here counts; the tables only say which words exist and what they mean,
so that the counters, the metrics page and the documentation can't disagree.
"""

from __future__ import annotations

from typing import Final

COUNTED: Final = "counted"
NODATA: Final = "nodata"
SKIPDATA: Final = "skipdata"
MALFORMED: Final = "malformed"
UNSUPPORTED: Final = "unsupported"
UNATTRIBUTED: Final = "unattributed"
DUPLICATE: Final = "duplicate"

EVENT_OUTCOMES: Final = {
    COUNTED: "A flow record, counted for a subnet.",
    NODATA: "The interface had no traffic in the interval.",
    SKIPDATA: "AWS skipped flow records in the interval: traffic that no one can count.",
    MALFORMED: "Not a flow log line of the expected format; see flowlog_malformed_total for the reason.",
    UNSUPPORTED: "A record of another kind, such as a Transit Gateway's, which has no subnet.",
    UNATTRIBUTED: "A flow record whose subnet could not be found out.",
    DUPLICATE: "An event of a payload that was delivered again, and had been counted before.",
}

DATA: Final = "data"
PLAIN: Final = "plain"
BASE64: Final = "base64"
PARTIAL: Final = "partial"
CONTROL: Final = "control"

# The first that is true of a payload is its outcome.
PAYLOAD_OUTCOMES: Final = {
    MALFORMED: "Not a CloudWatch Logs envelope; none of it could be read.",
    PARTIAL: "Envelopes that were read, and behind them something that could not be.",
    DATA: "A CloudWatch Logs envelope with log events, as CloudWatch Logs sends it: gzip'd.",
    PLAIN: "The same, but not compressed.",
    BASE64: "The same, but with base64 around it.",
    DUPLICATE: "A CloudWatch Logs envelope that was delivered again; it is not counted twice.",
    CONTROL: "CloudWatch Logs checked that it can reach the stream.",
}

# Reasons of payloads start with `payload_`, so that the others add up to the malformed events.
MALFORMED_REASONS: Final = {
    "payload_encoding": "The payload is neither gzip data nor JSON, as it is or in base64.",
    "payload_damaged": "The payload's gzip data is cut short or damaged.",
    "payload_too_large": "The payload inflates past --payload-limit.",
    "payload_not_json": "The inflated payload is not JSON.",
    "payload_not_envelope": "The JSON is not a CloudWatch Logs envelope.",
    "payload_message_type": "The envelope's messageType is neither DATA_MESSAGE nor CONTROL_MESSAGE.",
    "not_text": "The log event has no text message.",
    "message_not_json": "The message starts as JSON, and is none.",
    "message_not_flow_log": "The message is JSON, but not of a flow log.",
    "field_count": "The line has more or fewer fields than any format of its log group.",
    "format_unfit": "The line has as many fields as several formats of its log group, and fits none of them.",
    "format_undecided": "The line fits several formats of its log group, which do not say the same.",
    "bad_number": "A number of the line is not one.",
    "bad_address": "An address of the line is neither IPv4 nor IPv6.",
    "bad_protocol": "The protocol is not an IANA number from 0 to 255.",
    "bad_action": "The action is neither ACCEPT nor REJECT.",
    "bad_status": "The log status is none of OK, NODATA, SKIPDATA.",
    "bad_direction": "The flow direction is neither ingress nor egress.",
    "bad_subnet": "The subnet id of the line is not one.",
}
