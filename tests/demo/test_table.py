"""What the demo shows."""

import pytest

from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.table import History, LiveTable, PlainLines, Status, short, state
from kcl_flowlog.demo.truth import Truth
from kcl_flowlog.demo.verdict import rows, sentence
from tests.support.demo_fakes import PRIVATE_A, PUBLIC_A, WORLD, a_truth

WAITING = "waiting for the KCL to initialise (it waits up to 30 s before it fills an empty lease table) … 12 s"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (None, "waiting for kcl-flowlog to answer … 12 s"),
        (Page(), WAITING),
        (Page(daemon_up=True), "waiting for the KCL to lease the shards … 12 s"),
        (Page(daemon_up=True, shards_held=1), "waiting for the first checkpoint; shards held: 1 … 12 s"),
        (Page(a_truth(3), 2, True, 0.25), "3 of 9 flows counted, lag 0.2 s, shards held: 2"),
    ],
)
def test_the_state_is_said_in_words(page, words):
    """Each step of the start has its sentence, and then come the counted flows."""
    assert words == state(Status(12.2, page, a_truth(9)))


def test_plain_lines_come_every_five_seconds():
    """Of a status a second, every fifth is printed."""
    said = []
    with PlainLines(said.append, every=5) as lines:
        for second in range(11):
            lines.show(Status(second, None, Truth()))
    assert [f"waiting for kcl-flowlog to answer … {second} s" for second in (0, 5, 10)] == said


def test_the_phase_stands_before_the_state():
    """A line says first what the demo waits for."""
    said = []
    PlainLines(said.append).show(Status(1, None, Truth(), "traffic stopped"))
    assert said == ["traffic stopped; waiting for kcl-flowlog to answer … 1 s"]


def test_a_rate_spans_the_window():
    """A rate is the growth over the window, per second; pages before it are forgotten."""
    history = History(window=10)
    assert history.rate(lambda key: True) == (0, 0, 0)
    for second, flows in ((0, 0), (20, 1000), (25, 1010), (30, 1020)):
        history.add(second, Page(a_truth(flows)))
    assert history.rate(lambda key: key.subnet_id == PUBLIC_A.id) == (2, 20, 2000)
    assert history.rate(lambda key: key.subnet_id == PRIVATE_A.id) == (0, 0, 0)


@pytest.mark.parametrize(
    ("figure", "text"),
    [(0, "0"), (999, "999"), (1234567, "1.23 M"), (5.2e9, "5.2 G"), (3e15, "3 P"), (2e19, "2e+04 P")],
)
def test_figures_are_shortened(figure, text):
    """Large figures get a decimal prefix."""
    assert text == short(figure)


def test_the_live_table_has_a_row_for_every_subnet(capsys):
    """The table names subnets, zones, the state and the URL of the metrics."""
    table = LiveTable(WORLD, "http://127.0.0.1:10514/metrics")
    rendered = table._table(Status(3, Page(a_truth(3), 2, True, 1.0), a_truth(4)))
    table._console.width = 160
    table._console.print(rendered)
    shown = capsys.readouterr().out
    for words in ("public-a", "private-b", "euw1-az2", "3 of 4 flows", "http://127.0.0.1:10514/metrics"):
        assert words in shown


def test_the_final_table_of_a_terminal_has_the_same_cells_as_the_plain_one(capsys):
    """Both forms of the final table name every subnet and mark what differs."""
    final = rows(WORLD, a_truth(3), a_truth(2))
    table = LiveTable(WORLD, "")
    table._console.width = 200
    table.final(final)
    said = []
    PlainLines(said.append).final(final)
    for shown in (capsys.readouterr().out, "\n".join(said)):
        for words in ("public-a", "private-a", "total", "3,000", "2,000", "DIFFERENT", "equal"):
            assert words in shown


def test_equal_books_are_equal_to_the_last_digit():
    """The sentence says so, and what became of the log events."""
    expected = "Generated and counted are equal to the last digit; log events: 3 counted."
    assert expected == sentence(WORLD, a_truth(3), a_truth(3))


def test_a_difference_names_subnets_and_outcomes():
    """Each subnet and outcome that differs is named, also where its sums agree."""
    counted = a_truth(3, "subnet-3")
    counted.events["nodata"] += 2
    counted.payloads["data"] += 1
    expected = (
        "Generated and counted DIFFER: subnets public-a, private-b; log events nodata: 2 instead of 0; "
        "payloads data: 2 instead of 1."
    )
    assert expected == sentence(WORLD, a_truth(3), counted)


def test_a_shift_between_labels_is_a_difference():
    """A subnet whose sums agree but whose series don't is different."""
    counted = a_truth(3)
    (key,) = counted.traffic
    counted.traffic[key._replace(peer="private")] = counted.traffic.pop(key)
    assert sentence(WORLD, a_truth(3), counted) == "Generated and counted DIFFER: subnets public-a."


def test_traffic_of_a_subnet_outside_the_world_is_shown():
    """A subnet that nobody generated traffic for gets a row of its own."""
    final = rows(WORLD, Truth(), a_truth(3, "subnet-9"))
    assert [row.name for row in final] == ["public-a", "private-a", "private-b", "subnet-9", "total"]
    assert [row.equal for row in final] == [True, True, True, False, False]
