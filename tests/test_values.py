"""What a user can write as a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog import values
from kcl_flowlog.values import at_least, one_of

ARN = "arn:aws:kinesis:eu-west-1:111111111111:stream/flow-logs"

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
HOME = Path.home()

VALID: list[tuple[Callable[[str], Any], str, Any]] = [
    (values.parse_duration, "90", 90.0),
    (values.parse_duration, "0", 0.0),
    (values.parse_duration, "90s", 90.0),
    (values.parse_duration, "500ms", 0.5),
    (values.parse_duration, "1.5m", 90.0),
    (values.parse_duration, "30 m", 1800.0),
    (values.parse_duration, " 24h ", 86400.0),
    (values.parse_duration, "1d", 86400.0),
    (values.parse_size, "4096", 4096),
    (values.parse_size, "4096B", 4096),
    (values.parse_size, "1kB", 1000),
    (values.parse_size, "100MB", 100_000_000),
    (values.parse_size, "2GB", 2_000_000_000),
    (values.parse_size, "1TB", 10**12),
    (values.parse_size, "1KiB", 1024),
    (values.parse_size, "64MiB", 67_108_864),
    (values.parse_size, " 64 mib ", 67_108_864),
    (values.parse_size, "1.5GiB", 1_610_612_736),
    (values.parse_size, "1TiB", 2**40),
    (values.parse_size, "9007199254740993", 9_007_199_254_740_993),
    (values.parse_count, "0", 0),
    (values.parse_count, " 5000 ", 5000),
    *((values.parse_switch, text, True) for text in ("true", "T", "Yes", "y", " on ", "1")),
    *((values.parse_switch, text, False) for text in ("false", "F", "No", "n", " off ", "0")),
    (one_of(("polling", "fan-out")), "fan-out", "fan-out"),
    (values.parse_text, " as it stands ", " as it stands "),
    (values.parse_name, "flow-logs_1.x", "flow-logs_1.x"),
    (values.parse_name, "n" * 128, "n" * 128),
    (values.parse_stream, "flow-logs", "flow-logs"),
    (values.parse_stream, ARN, ARN),
    (values.parse_stream, ARN.replace("aws", "aws-iso-b"), ARN.replace("aws", "aws-iso-b")),
    (values.parse_path, "/var/lib", Path("/var/lib")),
    (values.parse_path, "~/state", HOME / "state"),
    (values.parse_path, "~no-such-user/x", Path("~no-such-user/x")),
    (values.parse_optional_path, "", None),
    (values.parse_optional_path, "~/web.yaml", HOME / "web.yaml"),
    (values.parse_url_path, "/a/b-c_d.e", "/a/b-c_d.e"),
    (values.parse_listen_address, ":10514", ("", 10514)),
    (values.parse_listen_address, "127.0.0.1:0", ("127.0.0.1", 0)),
    (values.parse_listen_address, "[::1]:9090", ("::1", 9090)),
    (values.parse_listen_address, "localhost:65535", ("localhost", 65535)),
    (values.parse_ports, "1,65535", frozenset({"1", "65535"})),
    (values.parse_ports, " 22, 443,,", frozenset({"22", "443"})),
    (values.parse_ports, "", frozenset()),
    (values.parse_traffic_labels, "peer , protocol,", ("protocol", "peer")),
    (values.parse_traffic_labels, "peer", ("peer",)),
    (values.parse_traffic_labels, "interface_type,path", ("path", "interface_type")),
    (values.parse_traffic_labels, "", ()),
    (values.parse_subnet_tags, " team, Cost Center,team,aws:x/y,", ("team", "Cost Center", "aws:x/y")),
    (values.parse_subnet_tags, "", ()),
    (values.parse_initial_position, "now", "now"),
    (values.parse_initial_position, "trim-horizon", "trim-horizon"),
    (values.parse_initial_position, "2026-01-31T12:00:00Z", NOON),
    (values.parse_initial_position, "2026-01-31T12:00:00", NOON),
    (values.parse_initial_position, "2026-01-31 12:00", NOON),
    (values.parse_initial_position, "2026-01-31T14:00:00+02:00", NOON),
    (values.parse_initial_position, "2026-01-31", NOON - timedelta(hours=12)),
    (values.parse_words, "-Xmx1g  '-Da=b c' -Dd=\"e f\"", ("-Xmx1g", "-Da=b c", "-Dd=e f")),
    (values.parse_words, "", ()),
    (values.parse_log_group_pattern, "/vpc/*", "/vpc/*"),
    (values.parse_log_group_pattern, "!aws-waf-logs-[!a]?.#_-1", "!aws-waf-logs-[!a]?.#_-1"),
    (values.parse_property, "failoverTimeMillis=5000", ("failoverTimeMillis", "5000")),
    (values.parse_property, " tableName = leases ", ("tableName", "leases")),
    (values.parse_property, "workerMetricsTags=a=1,b=2", ("workerMetricsTags", "a=1,b=2")),
    (values.parse_property, "coordinatorStateTags=", ("coordinatorStateTags", "")),
]


@pytest.mark.parametrize(("parse", "text", "value"), VALID)
def test_text_becomes_a_value(parse: Callable[[str], Any], text: str, value: Any) -> None:
    """Each function returns a value of its final type."""
    parsed = parse(text)

    assert (value, type(value)) == (parsed, type(parsed))


INVALID: list[tuple[Callable[[str], Any], list[str], str]] = [
    (
        values.parse_duration,
        ["", "s", "-1s", "1w", "1h30m", "1e3", "soon", ".5s", "1.s", "1 S", "²s"],
        "is not a duration such as 10s, 5m or 24h",
    ),
    (
        values.parse_size,
        ["", "MiB", "-1", "64M", "64MBs", "1e3", "large", "1.KiB", "1,5MiB"],
        "is not a size such as 512KiB, 64MiB or 1GiB",
    ),
    (values.parse_count, ["", "-1", "1.5", "many", "²"], "is not a whole number"),
    (at_least("100ms", values.parse_duration), ["99ms", "0"], "is less than the minimum of 100ms"),
    (at_least("1KiB", values.parse_size), ["1023", "1kB"], "is less than the minimum of 1KiB"),
    (at_least("1", values.parse_count), ["0"], "is less than the minimum of 1"),
    (values.parse_switch, ["", "maybe", "2"], "is neither `true` nor `false`"),
    (one_of(("polling", "fan-out")), ["", "both", "Polling"], "is not one of: polling, fan-out"),
    (
        values.parse_name,
        ["", "a b", "arn:aws:kinesis:x", "n" * 129],
        "is not a name of 1 to 128 letters, digits, `_`, `.` and `-`",
    ),
    (
        values.parse_stream,
        [f"{ARN}/consumer/a:1", ARN.replace("kinesis", "s3"), ARN.replace("1", ""), "arn:"],
        "is not the ARN of a stream such as arn:aws:kinesis:REGION:123456789012:stream/NAME",
    ),
    (values.parse_stream, ["", "a b"], "is not a name of 1 to 128 letters, digits, `_`, `.` and `-`"),
    (
        values.parse_url_path,
        ["", "/", "metrics", "/-/healthy", "/a b"],
        "is not a path that starts with `/`, and not with `/-/`",
    ),
    (
        values.parse_listen_address,
        ["", "10514", ":http", ":²", ":65536", "localhost"],
        "is not an address of the form [HOST]:PORT",
    ),
    (values.parse_ports, ["ssh", "0", "65536", "022", "-1"], "is not a port from 1 to 65535"),
    (values.parse_subnet_tags, ["k" * 129], "is longer than a key of AWS, 128 characters"),
    (values.parse_traffic_labels, ["port", "Peer"], "is not one of: protocol, peer, path, interface_type"),
    (
        values.parse_initial_position,
        ["", "latest", "2026-13-01"],
        "is neither `now`, `trim-horizon` nor a time such as 2026-01-31T12:00:00Z",
    ),
    (values.parse_words, ["-Da='b", "-Da=b\\"], "has an unclosed quote or a trailing backslash"),
    (
        values.parse_log_group_pattern,
        ["", "!", "!!a", "/vpc/ a", "/vpc/\u00e9", "a,b", "/vpc=x"],
        "is not a pattern of log groups such as /vpc/* or !/vpc/test",
    ),
    (values.parse_property, ["maxRecords", "=1", ""], "is not of the form KEY=VALUE"),
]


@pytest.mark.parametrize(
    ("parse", "text", "complaint"), [(parse, text, complaint) for parse, texts, complaint in INVALID for text in texts]
)
def test_other_text_is_refused(parse: Callable[[str], Any], text: str, complaint: str) -> None:
    """The error quotes the text and says what is expected; nothing is guessed."""
    with pytest.raises(ValueError) as caught:
        parse(text)

    assert f"{text!r} {complaint}" == str(caught.value)


def test_the_error_of_a_list_quotes_the_wrong_item() -> None:
    """A long list does not hide the mistake."""
    with pytest.raises(ValueError, match=r"^'ssh' is not a port from 1 to 65535$"):
        values.parse_ports("22,ssh,443")
    with pytest.raises(ValueError, match=r"^'port' is not one of: protocol, peer, path, interface_type$"):
        values.parse_traffic_labels("peer,port")


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("team", "tag_team"),
        ("CostCenter", "tag_costcenter"),
        ("cost_center", "tag_cost_center"),
        ("kubernetes.io/role/elb", "tag_kubernetes_io_role_elb"),
        ("7", "tag_7"),
        ("größe", "tag_gr__e"),
        ('"} 1\n', "tag____1_"),
    ],
)
def test_a_tag_is_a_label_by_a_simple_rule(key: str, label: str) -> None:
    """A valid name of a label, whatever the key holds."""
    assert label == values.tag_label(key)
    assert re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", label)


@pytest.mark.parametrize(("first", "second"), [("Team", "team"), ("cost-center", "cost_center"), ("größe", "grüße")])
def test_two_tags_of_one_label_are_refused(first: str, second: str) -> None:
    """The second would hide the first."""
    with pytest.raises(ValueError, match=f"^'{first}' and '{second}' would both be the label tag_"):
        values.parse_subnet_tags(f"{first},stage,{second}")


def test_a_minimum_itself_is_accepted() -> None:
    """The bound is inclusive."""
    assert 0.1 == at_least("100ms", values.parse_duration)("0.1s")
    assert 1024 == at_least("1KiB", values.parse_size)("1024")
