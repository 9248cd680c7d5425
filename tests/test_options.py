"""From flags, environment and file to settings."""

import os

import click
import pytest
from click.testing import CliRunner

from kcl_flowlog.config import ENVIRONMENT_PREFIX, Config, settings
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.options import all_settings, config_of

TABLE = settings()
IDS = [setting.flag for _, setting in TABLE]

# Where any text will not do: a value other than the default, as it is given.
OTHER_VALUES = {
    "initial_position": "trim-horizon",
    "watched_ports": "443",
    "traffic_labels": "peer",
    "web_listen_address": "127.0.0.1:9000",
    "web_telemetry_path": "/other",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in os.environ:
        if name.startswith(ENVIRONMENT_PREFIX):
            monkeypatch.delenv(name)


@click.command()
@all_settings
def probe(**values):
    raise Parsed(config_of(values))


class Parsed(Exception):
    """Carries the settings out of the command."""

    def __init__(self, config):
        super().__init__(config)
        self.config = config


def parse(arguments=(), environ=None, file=None, tmp_path=None):
    """Return the settings by such flags, variables and lines of the configuration file."""
    arguments = list(arguments)
    if file is not None:
        path = tmp_path / "kcl-flowlog.yaml"
        path.write_text(file)
        arguments += ["--config.file", str(path)]
    result = CliRunner().invoke(probe, arguments, env=environ or {}, standalone_mode=False)
    if isinstance(result.exception, Parsed):
        return result.exception.config
    raise result.exception


def as_given(field, setting):
    """Return two values as a user gives them, with what they mean; the first is not the default."""
    if setting.kind == "switch":
        given = ("true", True), ("false", False)
        return given[::-1] if field.default else given
    if setting.kind == "choice":
        other = next(choice for choice in setting.choices if choice != field.default)
        return (other, other), (field.default, field.default)
    if setting.kind == "integer":
        return ("12345", 12345), ("23456", 23456)
    if setting.kind == "seconds":
        return ("77m", 4620.0), ("88s", 88.0)
    if setting.kind == "lines":
        return ("${start} ${end}", ("${start} ${end}",)), ("${version}", ("${version}",))
    if setting.kind == "list":
        return ("maxRecords=1", ("maxRecords=1",)), ("maxRecords=2", ("maxRecords=2",))
    default = field.default or "default"
    other = OTHER_VALUES.get(field.name, "other")
    return (other, other), (default, default)


def as_flag(setting, text):
    if setting.kind == "switch":
        return [setting.flag if text == "true" else f"--no-{setting.key}"]
    return [setting.flag, text]


@pytest.mark.parametrize(("field", "setting"), TABLE, ids=IDS)
def test_a_flag_goes_before_the_environment_the_environment_before_the_file(field, setting, tmp_path):
    """Each setting is taken from its flag, else its variable, else the file, else it has its default."""
    (text, value), (weaker, _) = as_given(field, setting)
    stream = {} if field.name == "stream" else {"KCL_FLOWLOG_STREAM": "flow-logs"}
    in_file, weaker_in_file = (f"{setting.key}: '{given}'\n" for given in (text, weaker))

    by_flag = parse(as_flag(setting, text), {**stream, setting.variable: weaker}, weaker_in_file, tmp_path)
    by_variable = parse([], {**stream, setting.variable: text}, weaker_in_file, tmp_path)
    by_file = parse([], stream, in_file, tmp_path)

    assert [getattr(config, field.name) for config in (by_flag, by_variable, by_file)] == [value] * 3
    if field.name != "stream":
        assert getattr(parse([], stream), field.name) == field.default != value


def test_several_formats_in_a_variable_are_lines_of_their_own():
    """A format holds spaces, so a variable parts several by line ends."""
    given = parse([], {"KCL_FLOWLOG_STREAM": "s", "KCL_FLOWLOG_FLOW_LOG_FORMAT": "${start} ${end}\ngroup=${bytes}"})

    assert given.flow_log_format == ("${start} ${end}", "group=${bytes}")


def test_the_file_can_be_named_by_a_variable(tmp_path):
    """KCL_FLOWLOG_CONFIG_FILE does what --config.file does."""
    path = tmp_path / "settings.yaml"
    path.write_text("stream: flow-logs\nmax-subnets: 7\n")
    assert parse([], {"KCL_FLOWLOG_CONFIG_FILE": str(path)}).max_subnets == 7


def test_the_help_shows_every_variable():
    """Each option's environment variable stands in --help."""
    shown = CliRunner().invoke(probe, ["--help"], terminal_width=200).output
    missing = [setting.variable for _, setting in TABLE if f"env var: {setting.variable}" not in shown]
    assert missing == []
    assert "env var: KCL_FLOWLOG_CONFIG_FILE" in shown


@pytest.mark.parametrize("flag", ["--log-deny", "--log_deny"])
def test_the_old_spelling_of_log_deny_works(flag):
    """The old flag does what today's does."""
    assert parse([flag, "--stream", "flow-logs"]).log_deny is True


@pytest.mark.parametrize(
    ("text", "is_on"), [("1", True), ("true", True), ("yes", True), ("on", True), ("0", False), ("false", False)]
)
def test_a_switch_takes_the_usual_words(text, is_on, tmp_path):
    """In the environment and in the file a switch is on or off by any usual word."""
    assert parse([], {"KCL_FLOWLOG_STREAM": "s", "KCL_FLOWLOG_LOG_DENY": text}).log_deny is is_on
    assert parse([], {"KCL_FLOWLOG_STREAM": "s"}, f"log-deny: {text}\n", tmp_path).log_deny is is_on


PAIRS = ("tableName=leases", "failoverTimeMillis=5000")


def test_a_list_is_given_by_repeated_flags_by_spaces_or_as_a_list(tmp_path):
    """Properties of the KCL can be several, however they are given."""
    stream = {"KCL_FLOWLOG_STREAM": "s"}
    by_flags = parse(["--kcl-property", PAIRS[0], "--kcl-property", PAIRS[1]], stream)
    by_variable = parse([], {**stream, "KCL_FLOWLOG_KCL_PROPERTY": " ".join(PAIRS)})
    by_file = parse([], stream, f"kcl-property:\n  - {PAIRS[0]}\n  - {PAIRS[1]}\n", tmp_path)
    one_in_file = parse([], stream, f"kcl-property: {PAIRS[0]}\n", tmp_path)
    assert [config.kcl_property for config in (by_flags, by_variable, by_file)] == [PAIRS] * 3
    assert one_in_file.kcl_property == PAIRS[:1]


@pytest.mark.parametrize("file", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_sets_nothing(file, tmp_path):
    """A file of nothing, or of comments alone, leaves the defaults."""
    assert parse(["--stream", "s"], {}, file, tmp_path) == Config(stream="s")


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("stream: s\nmax-subnet: 3\n", "{path}, line 2: there is no setting 'max-subnet'."),
        ("# a comment\n\nmax_subnets: 3\n", "{path}, line 3: there is no setting 'max_subnets'."),
        ("stream: [a, b]\n", "{path}, line 1, stream: one value is expected, not a list."),
        ("stream: {a: b}\n", "{path}, line 1, stream: a value is expected, not further keys."),
        ("- stream\n", "{path}, line 1: keys with values are expected here."),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(file, sentence, tmp_path):
    """A misspelt key is an error with its place, as it would otherwise just not work."""
    with pytest.raises(ConfigError) as caught:
        parse([], {}, file, tmp_path)
    assert str(caught.value) == sentence.format(path=tmp_path / "kcl-flowlog.yaml")


@pytest.mark.parametrize("content", [b"stream: 'open\n", b"stream: \xff\n", b"a: b: c\n"])
def test_a_file_that_is_no_yaml_is_told_in_one_line(content, tmp_path):
    """However long the parser's complaint, it is one sentence of one line."""
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"^The file {path} is not YAML: .+\.$") as caught:
        parse(["--config.file", str(path)])
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    """A file that was asked for has to be there."""
    with pytest.raises(ConfigError, match=f"^The file {tmp_path}/none can't be read: No such file or directory.$"):
        parse(["--config.file", str(tmp_path / "none")])


@pytest.mark.parametrize(
    ("file", "flag"),
    [("checkpoint-interval: soon\n", "--checkpoint-interval"), ("retrieval: both\n", "--retrieval")],
)
def test_a_value_in_the_file_is_checked_as_a_flags(file, flag, tmp_path):
    """The file is no way around the checks."""
    with pytest.raises(click.BadParameter) as caught:
        parse(["--stream", "s"], {}, file, tmp_path)
    assert flag in caught.value.format_message()
