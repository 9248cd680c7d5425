"""The command `kcl-flowlog demo`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner

from kcl_flowlog.demo import command
from kcl_flowlog.demo.session import Options
from kcl_flowlog.demo.stop_request import StopRequest
from kcl_flowlog.demo.story import STORY, description
from kcl_flowlog.errors import ConfigError


def test_a_missing_package_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages of the extra, the error says how to install them."""
    monkeypatch.setattr(command, "_PACKAGES", ("no_such_package",))
    result = CliRunner().invoke(command.demo, [])
    assert isinstance(result.exception, ConfigError)
    assert "The demo needs more packages: pip install 'kcl-flowlog[demo]'." == str(result.exception)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """Replace the session; return the options that each session gets."""
    options: list[Options] = []

    class FakeSession:
        def __init__(self, chosen: Options, say: Callable[[str], None], stop_request: StopRequest) -> None:
            options.append(chosen)

        def run(self) -> int:
            return 0

    monkeypatch.setattr("kcl_flowlog.demo.session.Session", FakeSession)
    return options


@pytest.mark.parametrize(("text", "seconds"), [("180", 180), ("180s", 180), ("3m", 180)])
def test_a_duration_is_a_time(chosen: list[Options], text: str, seconds: float) -> None:
    """180, 180s and 3m are the same duration."""
    assert 0 == CliRunner().invoke(command.demo, ["--duration", text]).exit_code
    assert [seconds] == [options.times.duration for options in chosen]


def test_the_options_reach_the_session(chosen: list[Options]) -> None:
    """Each option of the command line has its place; without a terminal there is no screen."""
    arguments = ["--rate", "50", "--seed", "7", "--port", "0", "--deny", "DescribeFlowLogs", "--story"]
    assert 0 == CliRunner().invoke(command.demo, arguments).exit_code
    assert [Options(has_screen=False, rate=50, seed=7, port=0, deny=("DescribeFlowLogs",), story=True)] == chosen


def test_the_help_has_each_act_and_its_alerts() -> None:
    text = " ".join(CliRunner().invoke(command.demo, ["--help"], terminal_width=60).output.split())
    for act in STORY:
        assert f"second {act.start} to {act.end}: {act.title} {' '.join(description(act))}" in text


def test_an_invalid_duration_is_refused() -> None:
    """A text that is not a time is an error with status 2."""
    result = CliRunner().invoke(command.demo, ["--duration", "soon"])
    assert 2 == result.exit_code
    assert "'soon' is not a duration such as 10s, 5m or 24h." in result.output
