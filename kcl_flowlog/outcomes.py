"""What can become of a payload and of a log event: the words that labels use.

Every payload ends as exactly one of `PAYLOAD_OUTCOMES`, every log event as
exactly one of `EVENT_OUTCOMES`, and whatever is malformed also has a reason.
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

EVENT_OUTCOMES: Final = {
    COUNTED: "A flow record, counted for a subnet.",
    NODATA: "The interface had no traffic in the interval.",
    SKIPDATA: "AWS skipped flow records in the interval: traffic that no one can count.",
    MALFORMED: "Not a flow log line of the expected format; see flowlog_malformed_total for the reason.",
    UNSUPPORTED: "A record of another kind, such as a Transit Gateway's, which has no subnet.",
    UNATTRIBUTED: "A flow record whose subnet could not be found out.",
}

DATA: Final = "data"
CONTROL: Final = "control"

PAYLOAD_OUTCOMES: Final = {
    DATA: "A CloudWatch Logs envelope with log events.",
    CONTROL: "CloudWatch Logs checked that it can reach the stream.",
    MALFORMED: "Not a CloudWatch Logs envelope; none of it could be read.",
}

# Reasons of payloads start with `payload_`, so that the others add up to the malformed events.
MALFORMED_REASONS: Final = {
    "payload_not_gzip": "The payload is not gzip data, or its gzip data is cut short or damaged.",
    "payload_too_large": "The payload inflates past --payload-limit.",
    "payload_not_json": "The inflated payload is not JSON.",
    "payload_not_envelope": "The JSON is not a CloudWatch Logs envelope.",
    "payload_message_type": "The envelope's messageType is neither DATA_MESSAGE nor CONTROL_MESSAGE.",
    "not_text": "The log event has no text message.",
    "field_count": "The line has more or fewer fields than the format.",
    "bad_number": "A number of the line is not one.",
    "bad_address": "An address of the line is neither IPv4 nor IPv6.",
    "bad_protocol": "The protocol is not an IANA number from 0 to 255.",
    "bad_action": "The action is neither ACCEPT nor REJECT.",
    "bad_status": "The log status is none of OK, NODATA, SKIPDATA.",
    "bad_direction": "The flow direction is neither ingress nor egress.",
}
