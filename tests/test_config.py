"""The table of settings."""

import pytest

from kcl_flowlog.config import Config, settings
from kcl_flowlog.setting import Setting

TABLE = settings()


def test_a_stream_is_all_that_has_to_be_set() -> None:
    """Every other setting has a default that works."""
    assert "kcl-flowlog" == Config(stream="flow-logs").application


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("initial_position", "now"),
        ("checkpoint_interval", 10.0),
        ("flow_log_format", ()),
        ("deduplicate", True),
        ("log_deny", ""),
        ("payload_limit", 64 * 1024 * 1024),
        ("traffic_labels", ("protocol", "peer")),
        ("series_ttl", 86400.0),
        ("max_subnets", 5000),
        ("web_listen_address", ("", 10514)),
        ("web_config_file", None),
        ("java_options", ()),
        ("kcl_property", {}),
    ],
)
def test_a_default_has_the_final_type(name: str, value: object) -> None:
    """The table writes defaults as a user would; a field holds the value."""
    default = getattr(Config(stream="flow-logs"), name)

    assert (value, type(value)) == (default, type(default))


def test_no_two_settings_share_a_name() -> None:
    """Flags, environment variables and keys of the file are each unique."""
    rows = TABLE.values()

    for names in ({s.flag for s in rows}, {s.variable for s in rows}, {s.key for s in rows}):
        assert len(rows) == len(names)


def test_the_settings_of_a_group_stand_together() -> None:
    """The help and the README show the table in its order."""
    groups = [setting.group for setting in TABLE.values()]

    assert sorted(groups, key=groups.index) == groups


@pytest.mark.parametrize(
    ("name", "flag", "variable", "key"),
    [
        ("stream", "--stream", "KCL_FLOWLOG_STREAM", "stream"),
        ("state_dir", "--state-dir", "KCL_FLOWLOG_STATE_DIR", "state-dir"),
        ("web_listen_address", "--web.listen-address", "KCL_FLOWLOG_WEB_LISTEN_ADDRESS", "web.listen-address"),
        ("log_level", "--log.level", "KCL_FLOWLOG_LOG_LEVEL", "log.level"),
        ("new_series_hold", "--newborn-hold", "KCL_FLOWLOG_NEWBORN_HOLD", "newborn-hold"),
    ],
)
def test_variable_and_key_follow_from_the_flag(name: str, flag: str, variable: str, key: str) -> None:
    """A user who knows the flag knows the environment variable and the key of the file."""
    setting = TABLE[name]

    assert (flag, variable, key) == (setting.flag, setting.variable, setting.key)


@pytest.mark.parametrize("setting", TABLE.values(), ids=lambda setting: setting.key)
def test_every_setting_is_explained(setting: Setting) -> None:
    """Each help is a sentence, and every flag but a switch's says what kind of value it takes."""
    assert setting.help[0].isupper()
    assert setting.help.endswith(".")
    assert setting.is_switch != bool(setting.metavar)
