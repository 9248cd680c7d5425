"""The settings on the page: as a user would write them, and without what is secret."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.config import Config, settings
from kcl_flowlog.launcher.shown_settings import shown_settings
from kcl_flowlog.values import parse_peer
from kcl_flowlog.web.overview import SettingLine

SECRET = "Hunter2"


def line(name: str, value: Any) -> SettingLine:
    flag = settings()[name].flag
    return next(each for each in shown_settings(Config(**{"stream": "flow-logs", name: value})) if each.flag == flag)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("stream", "logs", "logs"),
        ("deduplicate", False, "off"),
        ("legacy_metrics", True, "on"),
        ("log_deny", "ecs", "ecs"),
        ("checkpoint_interval", 90.0, "90s"),
        ("payload_limit", 1024, "1024"),
        ("watched_ports", frozenset({"443", "22"}), "22, 443"),
        ("traffic_labels", ("protocol", "path"), "protocol, path"),
        ("traffic_labels", (), ""),
        ("web_listen_address", ("", 9000), ":9000"),
        ("web_listen_address", ("::1", 9000), "[::1]:9000"),
        (
            "peers",
            tuple(map(parse_peer, ("dns+http://kcl-flowlog:10514", "https://[::1]/flows"))),
            "dns+http://kcl-flowlog:10514, https://[::1]:443/flows",
        ),
        ("state_dir", Path("/data"), "/data"),
        ("initial_position", datetime(2026, 1, 31, tzinfo=timezone.utc), "2026-01-31T00:00:00+00:00"),
    ],
)
def test_a_changed_setting_is_shown_as_a_user_writes_it(name: str, value: Any, text: str) -> None:
    assert SettingLine(settings()[name].flag, text, False) == line(name, value)


def test_a_default_is_shown_as_the_documentation_writes_it() -> None:
    """Each setting is shown, in the order of the table."""
    found = shown_settings(Config(stream="flow-logs"))

    assert [row.flag for row in settings().values()] == [each.flag for each in found]
    assert ["flow-logs"] == [each.value for each in found if not each.is_default]
    assert SettingLine("--payload-limit", "64MiB", True) in found


@pytest.mark.parametrize(
    ("name", "value"),
    [("java_options", (f"-Djavax.net.ssl.trustStorePassword={SECRET}",)), ("kcl_property", {"password": SECRET})],
)
def test_what_may_hold_a_password_is_not_shown(name: str, value: Any) -> None:
    """Only that it is set."""
    assert SettingLine(settings()[name].flag, "set, not shown", False) == line(name, value)


def test_the_users_and_headers_of_the_web_config_are_not_shown(tmp_path: Path) -> None:
    """They are in a file, of which the page shows the path."""
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{me: {SECRET}}}\nhttp_server_config: {{headers: {{X-Key: {SECRET}}}}}\n")

    found = shown_settings(Config(stream="flow-logs", web_config_file=file))

    assert SettingLine("--web.config.file", str(file), False) in found
    assert SECRET not in repr(found)
