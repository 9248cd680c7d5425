"""From options, environment variables and the configuration file to settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from kcl_flowlog.config import Config, settings
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.options import SettingsCommand, all_settings, config_of, some_settings, warn_of_unknown_variables
from kcl_flowlog.setting import ENVIRONMENT_PREFIX, Setting

TABLE = settings()

# Values as a user writes them, where not any text will do: two that are not the default.
OTHER_VALUES = {
    "initial_position": ("trim-horizon", "2026-01-31"),
    "watched_ports": ("443", "80"),
    "traffic_labels": ("peer", "protocol"),
    "web_listen_address": ("127.0.0.1:9000", ":9000"),
    "web_telemetry_path": ("/other", "/another"),
    "kcl_property": ("maxRecords=1", "maxRecords=2"),
    "peers": ("http://a:1", "dns+https://b:2"),
    "max_subnets": ("12345", "23456"),
    "max_unlisted_subnets": ("1", "2"),
    "log_deny_rate": ("10", "20"),
    "log_deny_burst": ("10", "20"),
}
BY_METAVAR = {"TIME": ("77m", "88s"), "SIZE": ("2MiB", "3MB")}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of whoever runs the tests."""
    for name in os.environ:
        if name.startswith(ENVIRONMENT_PREFIX):
            monkeypatch.delenv(name)


class Parsed(Exception):
    """Carries the settings out of the command."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.config = config


@click.command(cls=SettingsCommand)
@all_settings
def probe(**values: Any) -> None:
    """Show what was parsed."""
    raise Parsed(config_of(values))


def parse(arguments: Sequence[str] = (), environ: Mapping[str, str] | None = None, file: Path | None = None) -> Config:
    """Return the settings that these options, variables and file give."""
    config_file = ["--config.file", str(file)] if file is not None else []
    result = CliRunner().invoke(probe, [*arguments, *config_file], env=environ or {}, standalone_mode=False)
    assert result.exception is not None, result.output
    if isinstance(result.exception, Parsed):
        return result.exception.config
    raise result.exception


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a configuration file that sets only the stream."""
    path = tmp_path / "kcl-flowlog.yaml"
    path.write_text("stream: flow-logs\n")
    return path


def two_texts(name: str, setting: Setting) -> tuple[str, str]:
    """Return two values of a setting as a user writes them; the first is not the default."""
    if setting.is_switch:
        return ("false", "true") if setting.default == "on" else ("true", "false")
    if setting.choices:
        other = next(choice for choice in setting.choices if choice != setting.default)
        return other, setting.default or ""
    return OTHER_VALUES.get(name) or BY_METAVAR.get(setting.metavar, ("other", "another"))


def as_arguments(setting: Setting, text: str) -> list[str]:
    """Return the arguments that set a setting."""
    if setting.is_switch:
        return [setting.flag if text == "true" else f"--no-{setting.key}"]
    return [setting.flag, text]


@pytest.mark.parametrize(("name", "setting"), TABLE.items(), ids=TABLE)
def test_an_option_wins_over_a_variable_and_a_variable_over_the_file(name: str, setting: Setting, file: Path) -> None:
    """Each setting comes from its option, else its variable, else the file."""
    text, weaker = two_texts(name, setting)
    stream = {} if name == "stream" else {"KCL_FLOWLOG_STREAM": "flow-logs"}
    value = setting.collect([setting.parse(text)]) if setting.collect else setting.parse(text)

    file.write_text(f"{setting.key}: '{weaker}'\n")
    by_option = parse(as_arguments(setting, text), {**stream, setting.variable: weaker}, file)
    by_variable = parse([], {**stream, setting.variable: text}, file)
    file.write_text(f"{setting.key}: '{text}'\n")
    by_file = parse([], stream, file)

    assert [value] * 3 == [getattr(config, name) for config in (by_option, by_variable, by_file)]
    assert setting.default_value() != value


def test_the_defaults_of_the_command_are_those_of_the_table() -> None:
    """Whoever sets only the stream gets the defaults that `Config` has."""
    assert Config(stream="flow-logs") == parse(["--stream", "flow-logs"])


def test_a_variable_separates_formats_by_line_ends() -> None:
    """A format contains spaces."""
    config = parse([], {"KCL_FLOWLOG_STREAM": "s", "KCL_FLOWLOG_FLOW_LOG_FORMAT": "${start} ${end}\ngroup=${bytes}\n"})

    assert ("${start} ${end}", "group=${bytes}") == config.flow_log_format


def test_a_variable_can_name_the_file(file: Path) -> None:
    """KCL_FLOWLOG_CONFIG_FILE does what --config.file does."""
    assert "flow-logs" == parse([], {"KCL_FLOWLOG_CONFIG_FILE": str(file)}).stream


@pytest.mark.parametrize("flag", ["--log-deny", "--log_deny"])
def test_the_old_spelling_of_log_deny_works(flag: str) -> None:
    """The option of the predecessor does what today's does."""
    assert "json" == parse([flag, "--stream", "flow-logs"]).log_deny


@pytest.mark.parametrize(
    ("arguments", "variable", "form"),
    [
        ([], None, ""),
        (["--log-deny"], None, "json"),
        (["--log-deny=json"], None, "json"),
        (["--log-deny=ecs"], None, "ecs"),
        (["--log-deny", "ocsf"], None, "ocsf"),
        (["--log-deny=off"], None, ""),
        (["--no-log-deny"], "true", ""),
        (["--log-deny"], "ecs", "json"),
        (["--log-deny=ecs", "--no-log-deny"], None, ""),
        (["--no-log-deny", "--log-deny=ecs"], None, "ecs"),
        (["--log-deny", "--deduplicate"], None, "json"),
        ([], "1", "json"),
        ([], "on", "json"),
        ([], "OCSF", "ocsf"),
        ([], "false", ""),
    ],
)
def test_log_deny_is_a_switch_that_may_name_a_form(arguments: list[str], variable: str | None, form: str) -> None:
    """As a switch it writes what it wrote before it had forms."""
    environ = {} if variable is None else {"KCL_FLOWLOG_LOG_DENY": variable}

    assert form == parse([*arguments, "--stream", "flow-logs"], environ).log_deny


def test_the_help_shows_that_log_deny_may_stand_alone() -> None:
    """And which forms there are."""
    text = CliRunner().invoke(probe, ["--help"]).output

    assert "--[no-]log-deny[=FORM]" in text
    assert "One of: json, ecs, ocsf." in text


def test_a_repeatable_setting_can_have_several_values(file: Path) -> None:
    """They come from repeated options, from words of the variable, or from a list in the file."""
    pairs = "tableName=leases", "failoverTimeMillis=5000"
    file.write_text(f"stream: flow-logs\nkcl-property:\n  - {pairs[0]}\n  - {pairs[1]}\n")

    by_options = parse(["--stream", "s", "--kcl-property", pairs[0], "--kcl-property", pairs[1]])
    by_variable = parse([], {"KCL_FLOWLOG_STREAM": "s", "KCL_FLOWLOG_KCL_PROPERTY": " ".join(pairs)})
    by_file = parse([], {}, file)

    expected = {"tableName": "leases", "failoverTimeMillis": "5000"}
    assert [expected] * 3 == [config.kcl_property for config in (by_options, by_variable, by_file)]


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_sets_nothing(content: str, file: Path) -> None:
    """A file that is empty, or has only comments, leaves the defaults."""
    file.write_text(content)

    assert Config(stream="s") == parse(["--stream", "s"], {}, file)


def test_a_missing_stream_is_an_error() -> None:
    """It is the only setting that has no default."""
    with pytest.raises(ConfigError) as caught:
        parse([])

    assert "No stream: name the Kinesis stream with --stream NAME or KCL_FLOWLOG_STREAM." == str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("max-subnet: 3\n", "line 1: unknown key 'max-subnet'; did you mean 'max-subnets'?"),
        ("# a comment\n\nmax_subnets: 3\n", "line 3: unknown key 'max_subnets'; did you mean 'max-subnets'?"),
        ("stream: s\nxyzzy: 3\n", "line 2: unknown key 'xyzzy'; remove it."),
        ("stream: [a, b]\n", "line 1, stream: expected one value, not a list."),
        ("stream: {a: b}\n", "line 1, stream: expected a value, not further keys or lists."),
        ("kcl-property: [[a=b]]\n", "line 1, kcl-property: expected a value, not further keys or lists."),
        ("- stream\n", "line 1: expected keys with values, such as `key: value`."),
        ("stream: a\n\nregion: b\nstream: a\n", "line 4: 'stream' is already set in line 1; remove one."),
        ("ready-timeout: soon\n", "line 1, ready-timeout: 'soon' is not a duration such as 10s, 5m or 24h."),
        ("stream: s\nretrieval: both\n", "line 2, retrieval: 'both' is not one of: polling, fan-out."),
        ("stream: s\nlog-deny: maybe\n", "line 2, log-deny: 'maybe' is not one of: json, ecs, ocsf, on, off."),
        ("kcl-property:\n  - a=b\n  - c\n", "line 3, kcl-property: 'c' is not of the form KEY=VALUE."),
    ],
)
def test_a_mistake_in_the_file_is_an_error_that_names_the_line(content: str, sentence: str, file: Path) -> None:
    """Each is one sentence with the file, the line and what is expected."""
    file.write_text(content)

    with pytest.raises(ConfigError) as caught:
        parse([], {}, file)

    assert f"{file}, {sentence}" == str(caught.value)


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"READY_TIMEOUT": "soon"}, "READY_TIMEOUT: 'soon' is not a duration such as 10s, 5m or 24h."),
        ({"WEB_LISTEN_ADDRESS": "x"}, "WEB_LISTEN_ADDRESS: 'x' is not an address of the form [HOST]:PORT."),
        ({"DEDUPLICATE": "maybe"}, "DEDUPLICATE: 'maybe' is neither `true` nor `false`."),
        ({"KCL_PROPERTY": "a=b c"}, "KCL_PROPERTY: 'c' is not of the form KEY=VALUE."),
    ],
)
def test_a_mistake_in_a_variable_is_an_error_that_names_the_variable(environ: dict[str, str], sentence: str) -> None:
    """A flag in the error would send the user to the wrong place."""
    with pytest.raises(ConfigError) as caught:
        parse(["--stream", "s"], {ENVIRONMENT_PREFIX + name: text for name, text in environ.items()})

    assert ENVIRONMENT_PREFIX + sentence == str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--checkpoint-interval", "0"], "--checkpoint-interval: '0' is less than the minimum of 100ms."),
        (["--payload-limit", "10"], "--payload-limit: '10' is less than the minimum of 1KiB."),
        (["--max-subnets", "many"], "--max-subnets: 'many' is not a whole number."),
        (["--kcl-metrics", "all"], "--kcl-metrics: 'all' is not one of: none, summary, detailed."),
        (["--kcl-property", "a"], "--kcl-property: 'a' is not of the form KEY=VALUE."),
    ],
)
def test_a_mistake_in_an_option_is_an_error_that_names_the_option(arguments: list[str], sentence: str) -> None:
    """Each is one sentence with the text and what is expected."""
    with pytest.raises(ConfigError) as caught:
        parse(["--stream", "s", *arguments])

    assert sentence == str(caught.value)


@pytest.mark.parametrize("content", [b"stream: 'open\n", b"stream: \xff\n", b"a: b: c\n", b"[" * 5000], ids=range(4))
def test_a_file_that_is_not_yaml_is_an_error_of_one_line(content: bytes, file: Path) -> None:
    """However long the parser's complaint, the user reads one sentence."""
    file.write_bytes(content)

    with pytest.raises(ConfigError, match=rf"^{file} is not YAML: .+\.$") as caught:
        parse([], {}, file)

    assert "\n" not in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A file that the user names has to exist."""
    with pytest.raises(ConfigError) as caught:
        parse([], {}, tmp_path / "none")

    assert f"{tmp_path}/none can't be read: No such file or directory." == str(caught.value)


def help_of(command: click.Command, width: int) -> list[str]:
    """Return the lines of a command's help on a terminal of this width."""
    result = CliRunner().invoke(command, ["--help"], terminal_width=width, max_content_width=width)
    assert 0 == result.exit_code, result.output
    return result.output.splitlines()


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_help_fits_the_terminal(width: int) -> None:
    """Lines are broken between words only, and the explanations stand in one column."""
    lines = help_of(probe, width)

    options = [line for line in lines if line.startswith("  -") and "  " in line[3:]]
    assert [] == [line for line in lines if len(line) > width]
    assert {31} == {line.index(line[3:].partition("  ")[2].lstrip(), 29) for line in options}
    assert any("(default: /var/lib/kcl-flowlog)" in line for line in lines)


def test_the_help_shows_each_setting_with_its_default_and_variable() -> None:
    """A default is shown as a user would write it."""
    text = " ".join(" ".join(help_of(probe, 80)).split())

    for setting in TABLE.values():
        value = "" if setting.without_value else setting.metavar
        assert f"{setting.shown_flag} {value}".strip() in text
        assert f"[${setting.variable}]" in text
        assert not setting.default or f"(default: {setting.default})" in text
    assert "[$KCL_FLOWLOG_CONFIG_FILE]" in text


def test_the_help_has_the_groups_as_headings() -> None:
    """The options of the command come first, then the groups in the order of the table."""
    headings = [line.removesuffix(":") for line in help_of(probe, 80) if line and line[0] not in " U"]

    assert ["Options", *dict.fromkeys(setting.group for setting in TABLE.values())] == headings


def test_a_command_may_take_some_settings_and_arguments() -> None:
    """The help has only their groups and the options of the command, without those that are hidden."""

    @click.command(cls=SettingsCommand)
    @click.argument("files", nargs=-1)
    @click.option("--old", hidden=True)
    @click.option("--unexplained")
    @some_settings("log_level", "region")
    def partial(**values: Any) -> None:
        """Take two settings."""

    shown = help_of(partial, 80)

    assert ["Options:", "Stream:", "Logs:"] == [line for line in shown if line and line[0] not in " U"]
    assert "--old" not in " ".join(shown)
    assert "  --unexplained TEXT" in shown


def test_choices_are_completed_by_the_shell() -> None:
    """A shell offers the values that begin with what the user has typed."""
    completion = ShellComplete(probe, {}, "probe", "_PROBE_COMPLETE")

    assert ["debug"] == [item.value for item in completion.get_completions(["--log.level"], "d")]


def test_an_unknown_variable_is_a_warning_that_names_the_nearest(caplog: pytest.LogCaptureFixture) -> None:
    """A misspelt variable would silently not work."""
    warn_of_unknown_variables(["HOME", "KCL_FLOWLOG_STREAN", "KCL_FLOWLOG_LOG_DENY", "KCL_FLOWLOG_ABCDEFGHIJKL"])

    assert [
        ("WARNING", {"variable": "KCL_FLOWLOG_ABCDEFGHIJKL"}),
        ("WARNING", {"variable": "KCL_FLOWLOG_STREAN", "nearest": "KCL_FLOWLOG_STREAM"}),
    ] == [(record.levelname, vars(record)["fields"]) for record in caplog.records]


@pytest.mark.parametrize(
    "variable",
    [
        *(setting.variable for setting in TABLE.values()),
        "KCL_FLOWLOG_CONFIG_FILE",
        "KCL_FLOWLOG_PROCESSOR_SETTINGS",
        "KCL_FLOWLOG_PROCESSOR_KEY",
        "KCL_FLOWLOG_FAULT",
        "KCL_FLOWLOG_SERVICE_HOST",
        "KCL_FLOWLOG_SERVICE_PORT",
        "KCL_FLOWLOG_SERVICE_PORT_METRICS",
        "KCL_FLOWLOG_PORT",
        "KCL_FLOWLOG_PORT_10514_TCP",
        "KCL_FLOWLOG_PORT_10514_TCP_ADDR",
    ],
)
def test_a_known_variable_is_no_warning(variable: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither those of the settings, nor internal ones, nor those that Kubernetes sets for a Service."""
    warn_of_unknown_variables([variable])

    assert [] == caplog.records
