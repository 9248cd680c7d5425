"""Plain lines, and the comparison on a terminal."""

import io

from rich.console import Console

from kcl_flowlog.demo.comparison import compare
from kcl_flowlog.demo.display import LiveScreen, PlainLines
from kcl_flowlog.demo.status import Status
from kcl_flowlog.demo.tally import Tally
from tests.support.demo_fakes import WORLD, a_tally


def test_plain_lines_come_every_five_seconds() -> None:
    """Of a status per second, every fifth is printed."""
    said: list[str] = []
    with PlainLines(said.append, interval=5) as lines:
        for second in range(11):
            lines.show(Status(second, None, Tally(), step_seconds=second))
    expected = [f"0:{second:02} kcl-flowlog: starting, usually 2 to 10 s … {second} s" for second in (0, 5, 10)]
    assert expected == said


def test_a_plain_line_has_the_phase() -> None:
    """At the end of the traffic a line says first what the demo waits for."""
    said: list[str] = []
    PlainLines(said.append).show(Status(1, None, Tally(), "Traffic ended."))
    assert ["0:01 Traffic ended. kcl-flowlog: starting, usually 2 to 10 s … 0 s"] == said


def test_an_act_is_announced_once_as_it_begins() -> None:
    """Between two acts, there is nothing new to say."""
    said: list[str] = []
    lines = PlainLines(said.append, interval=1000)
    for second in (-1.0, 59.0, 61.0, 125.0):
        lines.show(Status(second + 1, None, Tally(), story_second=second))
    begin = ["second 0: Quiet traffic.", "second 60: A burst of rejects."]
    assert begin == [line for line in said if line.startswith("second")]
    assert "  Alerts: FlowlogRejectedFlows (info, warning)" == said[-1]


def test_no_act_is_announced_once_the_traffic_has_ended() -> None:
    """The clock of the story goes on while the last counts are awaited."""
    said: list[str] = []
    lines = PlainLines(said.append, interval=1000)
    for second, phase in ((59.0, ""), (61.0, "Traffic ended.")):
        lines.show(Status(second + 1, None, Tally(), phase, story_second=second))
    assert ["second 0: Quiet traffic."] == [line for line in said if line.startswith("second")]


def test_both_displays_show_the_same_comparison() -> None:
    """The comparison on a terminal is the table of the plain lines, and as narrow as the terminal."""
    compared = compare(WORLD, a_tally(3), a_tally(2))
    for width in (40, 60, 80):
        output, said = io.StringIO(), list[str]()
        LiveScreen(WORLD, "", Console(file=output, width=width)).show_comparison(compared)
        PlainLines(said.append, width=width).show_comparison(compared)
        assert said == [line.rstrip() for line in output.getvalue().splitlines()]
        assert max(map(len, said)) <= width
        assert {"equal", "DIFFERENT"} <= {line.split()[0] for line in said}
