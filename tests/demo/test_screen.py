"""The screen of the demo, at several widths.

The expected screens are in `screens/`; run with REWRITE_SCREENS=1 to write them
again, and read the difference.
"""

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from kcl_flowlog.demo.display import LiveScreen
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.screen import BURST, PLAIN, Screen, short
from kcl_flowlog.demo.status import Status
from kcl_flowlog.demo.tally import SeriesKey, Sums, Tally
from kcl_flowlog.demo.world import Subnet, World

SCREENS = Path(__file__).parent / "screens"
URL = "http://127.0.0.1:10514/metrics"
NAMES = ("shop-public-a", "shop-private-a", "shop-private-b", "lab-public-a", "lab-private-a", "lab-private-b")
WORLD = World(
    stream="flow-logs",
    account_id="123456789012",
    subnets=tuple(Subnet(f"subnet-{name}", name, "vpc-1", "euw1-az1", "10.0.16.0/20") for name in NAMES),
    interfaces=(),
)
SCANNED = "lab-public-a"


def tally_at(second: int) -> Tally:
    """Return what is generated in the first seconds: steady traffic, and a scan of 32 flows at second 90."""
    tally = Tally()
    for number, name in enumerate(NAMES, start=1):
        for direction, flows in (("ingress", 20), ("egress", 25)):
            key = SeriesKey(f"subnet-{name}", direction, "accept", "tcp", "internet")
            tally.add_traffic(key, Sums(*(figure * second for figure in (flows, flows * 100, flows * 80_000 * number))))
        scan = 32 if name == SCANNED and second >= 90 else 0
        rejected = second + scan
        tally.add_traffic(
            SeriesKey(f"subnet-{name}", "ingress", "reject", "tcp", "internet"), Sums(rejected, rejected, rejected * 44)
        )
    return tally


def starting() -> Status:
    """Return the status while the KCL creates its lease table."""
    return Status(23.4, Page(), tally_at(20), step_seconds=18.2)


def counting(second: int) -> Status:
    """Return the status of a moment at which the counts are 2 s old."""
    return Status(second, Page(tally_at(second - 2), 2, True, 0.4), tally_at(second))


def drawn(width: int, statuses: list[Status]) -> str:
    """Return the text that a terminal of `width` columns shows after `statuses`."""
    output = io.StringIO()
    console = Console(file=output, width=width, highlight=False)
    screen = LiveScreen(WORLD, URL, console)
    for status in statuses:
        screen.show(status)
    console.print(screen.drawn(statuses[-1]))
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()).rstrip() + "\n"


CASES = {
    "starting": [starting()],
    "counting": [starting(), *(counting(second) for second in range(30, 96))],
    "ending": [
        *(counting(second) for second in range(30, 96)),
        Status(97, Page(tally_at(96), 2, True, 0.4), tally_at(96), "Traffic ended; waiting for the last counts."),
    ],
    "story-starting": [replace(starting(), story_second=-1.0)],
    "story-ending": [
        *(replace(counting(second), story_second=second + 275.0) for second in range(30, 96)),
        replace(counting(96), phase="Traffic ended; waiting for the last counts, at most 90 s.", story_second=371.0),
    ],
    "story": [replace(counting(second), story_second=second + 130.0) for second in range(30, 96)],
}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("case", CASES)
def test_the_screen_fits_the_terminal(case: str, width: int) -> None:
    """The screen is exactly the expected text; names and URL are whole, and it fits 24 lines, without a story 17."""
    shown = drawn(width, CASES[case])
    lines = shown.splitlines()
    assert all(any(line.startswith(f"{name} ") for line in lines) for name in NAMES)
    assert f"Metrics: {URL}" in lines
    assert max(map(len, lines)) <= width
    assert len(lines) <= (23 if case == "story" else 17)
    expected = SCREENS / f"{case}-{width}.txt"
    if os.environ.get("REWRITE_SCREENS"):
        expected.write_text(shown, encoding="utf-8")
    assert expected.read_text(encoding="utf-8") == shown


def test_a_burst_of_rejects_marks_its_subnet() -> None:
    """The row of a scanned subnet has an arrow and a style, and its chart has a full bar; other rows don't."""
    screen = Screen(WORLD, URL)
    statuses = [counting(second) for second in range(30, 96)]
    for status in statuses:
        screen.add(status)
    rows = {line.text.split()[0]: line for line in screen.lines(statuses[-1], 80) if line.text.startswith(NAMES)}
    assert [SCANNED] == [name for name, line in rows.items() if "↑" in line.text]
    assert [SCANNED] == [name for name, line in rows.items() if "█" in line.text]
    assert [SCANNED] == [name for name, line in rows.items() if line.style == BURST]
    assert {PLAIN} == {line.style for name, line in rows.items() if name != SCANNED}


def test_catching_up_makes_no_burst() -> None:
    """The counts of what waited in the stream during the start don't enter rates and charts."""
    screen = Screen(WORLD, URL)
    for second, counted in ((50, 0), (51, 10), (52, 30), (53, 51), (54, 52), (55, 53), (60, 58)):
        status = Status(second, Page(tally_at(counted), 2, True), tally_at(second))
        screen.add(status)
    (line,) = [line.text for line in screen.lines(status, 80) if line.text.startswith("shop-public-a")]
    assert ["shop-public-a", "1.6", "M", "2", "M", "46.0", "1.0"] == line.split()[:7]


@pytest.mark.parametrize(
    ("figure", "text"),
    [(0, "0"), (0.5, "0.5"), (999, "999"), (1234567, "1.23 M"), (5.2e9, "5.2 G"), (3e15, "3 P"), (2e19, "2e+04 P")],
)
def test_figures_are_shortened(figure: float, text: str) -> None:
    """Large figures get a decimal prefix."""
    assert text == short(figure)
