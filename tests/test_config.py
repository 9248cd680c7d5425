"""The table of settings, and what can be used as a value."""

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from kcl_flowlog.config import (
    Config,
    parse_initial_position,
    parse_java_options,
    parse_listen_address,
    parse_ports,
    parse_seconds,
    parse_traffic_labels,
    settings,
)
from kcl_flowlog.errors import ConfigError


def test_a_stream_is_all_that_has_to_be_named():
    """Every other setting has a default that can be used."""
    assert Config(stream="flow-logs").application == "kcl-flowlog"


def test_no_two_settings_share_a_name():
    """Flags, environment variables and keys of the file are each unique."""
    table = [setting for _, setting in settings()]
    for names in ([s.flag for s in table], [s.variable for s in table], [s.key for s in table]):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("flag", "variable", "key"),
    [
        ("--stream", "KCL_FLOWLOG_STREAM", "stream"),
        ("--state-dir", "KCL_FLOWLOG_STATE_DIR", "state-dir"),
        ("--web.listen-address", "KCL_FLOWLOG_WEB_LISTEN_ADDRESS", "web.listen-address"),
        ("--log.level", "KCL_FLOWLOG_LOG_LEVEL", "log.level"),
    ],
)
def test_variable_and_key_follow_from_the_flag(flag, variable, key):
    """Who knows the flag knows the environment variable and the key of the file."""
    setting = next(setting for _, setting in settings() if setting.flag == flag)
    assert (setting.variable, setting.key) == (variable, key)


def test_every_setting_is_explained():
    """Each help is a sentence, and says what kind of value it takes."""
    for _, setting in settings():
        assert setting.help[0].isupper() or setting.help.startswith("/"), setting.flag
        assert setting.help.endswith("."), setting.flag
        assert setting.metavar or setting.choices or setting.kind == "switch", setting.flag


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0", 0),
        ("90s", 90),
        ("500ms", 0.5),
        ("1.5m", 90),
        ("30 m", 1800),
        (" 24h ", 86400),
        ("1d", 86400),
    ],
)
def test_a_time_is_a_number_with_a_unit(text, seconds):
    """Seconds where no unit is named."""
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1w", "1h30m", "1e3", "soon", ".5s", "1.s", "1 S"])
def test_anything_else_is_no_time(text):
    """What is not understood is refused instead of guessed."""
    with pytest.raises(ValueError, match="is not a time such as 90s, 30m or 24h"):
        parse_seconds(text)


NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("now", "now"),
        ("trim-horizon", "trim-horizon"),
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T12:00:00", NOON),
        ("2026-01-31 12:00", NOON),
        ("2026-01-31T14:00:00+02:00", NOON),
        ("2026-01-31", NOON - timedelta(hours=12)),
    ],
)
def test_an_initial_position_is_a_word_or_a_time(text, position):
    """A time without a zone is UTC."""
    assert parse_initial_position(text) == position


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":10514", ("", 10514)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:9090", ("::1", 9090)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_a_listen_address_is_a_host_and_a_port(text, address):
    """An empty host means all addresses; one of IPv6 stands in brackets."""
    assert parse_listen_address(text) == address


def test_lists_are_read_with_any_spaces():
    """Commas part the items; spaces and a comma too many mean nothing."""
    assert parse_ports(" 22, 443,,") == frozenset({"22", "443"})
    assert parse_ports("") == frozenset()
    assert parse_traffic_labels("peer , protocol") == ("protocol", "peer")
    assert parse_traffic_labels("") == ()


def test_options_of_java_are_split_as_a_shell_would():
    """Quotes keep together what has spaces."""
    assert parse_java_options("-Xmx1g  '-Da=b c' -Dd=\"e f\"") == ["-Xmx1g", "-Da=b c", "-Dd=e f"]


MISTAKES = [
    ({"stream": ""}, "No stream: name the Kinesis stream with --stream NAME or KCL_FLOWLOG_STREAM."),
    (
        {"stream": "arn:aws:kinesis:x"},
        "--stream 'arn:aws:kinesis:x' is not a name of 1 to 128 letters, digits, `_`, `.` and `-`.",
    ),
    ({"application": "a b"}, "--application 'a b' is not a name of 1 to 128 letters, digits, `_`, `.` and `-`."),
    (
        {"initial_position": "latest"},
        "--initial-position 'latest' is neither `now`, `trim-horizon` nor a time such as 2026-01-31T12:00:00Z.",
    ),
    ({"checkpoint_interval": 0.0}, "--checkpoint-interval must be at least 0.1 s."),
    ({"inventory_interval": 0.5}, "--inventory-interval must be at least 1 s."),
    ({"stuck_after": 0.0}, "--stuck-after must be at least 1 s."),
    ({"ready_timeout": 0.0}, "--ready-timeout must be at least 1 s."),
    ({"payload_limit": 10}, "--payload-limit must be at least 1024."),
    ({"dead_letter_limit": 0}, "--dead-letter-limit must be at least 1024."),
    ({"max_subnets": 0}, "--max-subnets must be at least 1."),
    ({"watched_ports": "22,ssh"}, "--watched-ports: 'ssh' is not a port from 1 to 65535."),
    ({"watched_ports": "0"}, "--watched-ports: '0' is not a port from 1 to 65535."),
    ({"watched_ports": "65536"}, "--watched-ports: '65536' is not a port from 1 to 65535."),
    ({"traffic_labels": "port,peer"}, "--traffic-labels: 'port' is not one of: protocol, peer."),
    ({"web_listen_address": "10514"}, "--web.listen-address '10514' is not of the form [HOST]:PORT."),
    ({"web_listen_address": ":http"}, "--web.listen-address ':http' is not of the form [HOST]:PORT."),
    ({"web_listen_address": ":²"}, "--web.listen-address ':²' is not of the form [HOST]:PORT."),
    ({"web_listen_address": ":65536"}, "--web.listen-address ':65536' is not of the form [HOST]:PORT."),
    ({"web_telemetry_path": "metrics"}, "--web.telemetry-path must start with `/`, and not with `/-/`."),
    ({"web_telemetry_path": "/-/healthy"}, "--web.telemetry-path must start with `/`, and not with `/-/`."),
    ({"java_options": "-Da='b"}, '--java-options "-Da=\'b" has a quote or backslash that nothing ends.'),
]


@pytest.mark.parametrize(("values", "sentence"), MISTAKES)
def test_a_value_that_can_not_be_used_is_told_with_its_flag(values, sentence):
    """Each mistake is one sentence that names what to change."""
    with pytest.raises(ConfigError) as caught:
        Config(**{"stream": "flow-logs", **values})
    assert str(caught.value) == sentence


def test_a_tilde_in_the_state_directory_is_the_users_home():
    """The home of an unknown user stays as it stands, instead of ending in a traceback."""
    assert Config(stream="s", state_dir="~/state").state_dir_path == Path(os.path.expanduser("~")) / "state"
    assert Config(stream="s", state_dir="~no-such-user/x").state_dir_path == Path("~no-such-user/x")
