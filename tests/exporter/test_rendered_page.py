"""The series that are rendered here, against prometheus_client: the same bytes, whatever the page before was."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.utils import floatToGoString

from kcl_flowlog.commits.totals import RejectedPortTotal, Totals, TrafficTotal
from kcl_flowlog.counting.delta import RejectedPort, Traffic
from kcl_flowlog.counting.subnets import Inventory, Subnet
from kcl_flowlog.exporter import series_lines
from kcl_flowlog.exporter.collector import FlowlogCollector, metrics_registry
from kcl_flowlog.exporter.exposition import OPENMETRICS, TEXT, renderer
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.exporter.rendered_family import Families, KeptFamilies
from kcl_flowlog.exporter.sample_text import labels_writer, number_texts
from kcl_flowlog.exporter.state import InstanceState
from tests.support.examples import examples
from tests.support.exporter import STATE

HOSTILE = [
    "",
    "a",
    'a"b',
    "a\\",
    "\\n",
    "a\nb",
    "# HELP a",
    "\r# EOF",
    "\u2028",
    "%s",
    "%",
    "{}",
    "é€\U0001f600",
    "\x00",
]

texts = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
few = st.sampled_from(["a", "b", '"\n\\%s'])
numbers = (
    st.integers(0, 3) | st.integers(0, 2**63 - 1) | st.sampled_from([10**6 - 1, 10**6, 10**15 - 1, 10**15, 10**16])
)


@given(st.lists(st.integers(0, 2**64) | st.integers(1, 2**60).map(lambda number: number * 10) | numbers))
@settings(max_examples=examples(100))
def test_numbers_are_written_as_prometheus_client_writes_them(several: list[int]) -> None:
    """Integers up to 2**64, with the same text behind each."""
    assert [f"{floatToGoString(number)}\nx" for number in several] == number_texts(several, "\nx")  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("digits", range(1, 20))
def test_a_power_of_ten_and_its_neighbours_are_written_as_prometheus_client_writes_them(digits: int) -> None:
    """Here the exponent begins, and here the digits of a float end."""
    several = [10**digits - 1, 10**digits, 10**digits + 1, 12 * 10**digits]

    assert [floatToGoString(number) for number in several] == number_texts(several, "")  # type: ignore[no-untyped-call]


@given(st.tuples(texts, texts, texts))
@settings(max_examples=examples(50))
def test_labels_are_written_as_prometheus_client_writes_them(values: tuple[str, ...]) -> None:
    """In the order of their names, and escaped."""
    family = GaugeMetricFamily("g", "G.", labels=("z", "a", "m"))
    family.add_metric(values, 1)

    line = generate_latest(Families([family])).decode().removeprefix("# HELP g G.\n# TYPE g gauge\n")

    assert line == f"g{labels_writer(('z', 'a', 'm'))(values)} 1.0\n"


class Page(NamedTuple):
    """What one page of a history shows, and up to which birth."""

    totals: Totals
    shown: int


def page(draw: st.DrawFn, before: Totals) -> Page:
    """Draw the page after another: the objects of unchanged totals are the same, as the ledger promises."""
    series = {total.series: total for total in before.traffic if draw(st.integers(0, 9))}
    ports = {total.series: total for total in before.rejected_ports if draw(st.integers(0, 9))}
    births = st.integers(1, 6)
    for labels in draw(st.lists(st.tuples(texts, few, few, few, few, few), max_size=4)):
        found = Traffic(*labels)
        birth = series[found].birth if found in series else draw(births)
        series[found] = TrafficTotal(found, draw(numbers), draw(numbers), draw(numbers), birth)
    for port_labels in draw(st.lists(st.tuples(texts, few, few, few), max_size=2)):
        port = RejectedPort(*port_labels)
        ports[port] = RejectedPortTotal(port, draw(numbers), ports[port].birth if port in ports else draw(births))
    traffic = [total for _, total in sorted(series.items())]
    return Page(Totals(traffic, [total for _, total in sorted(ports.items())], {}, {}), draw(births))


@st.composite
def histories(draw: st.DrawFn) -> list[Page]:
    """Draw a few pages in a row."""
    pages: list[Page] = []
    for _ in range(draw(st.integers(1, 4))):
        pages.append(page(draw, pages[-1].totals if pages else Totals([], [], {}, {})))
    return pages


@given(
    histories(), st.sampled_from([("path", "peer", "protocol"), ("peer",), ()]), st.sampled_from([TEXT, OPENMETRICS])
)
@settings(max_examples=examples(40))
def test_a_page_after_others_is_what_prometheus_client_makes_of_it_alone(
    history: list[Page], labels: tuple[str, ...], accept: str
) -> None:
    """Any history, any labels, both formats: no text of an earlier page remains that is not right any more."""
    generate = generate_latest if accept == TEXT else generate_openmetrics
    now = {"page": history[0]}
    hold = FixedHold(lambda: now["page"].shown)

    def state() -> InstanceState:
        return replace(STATE, totals=now["page"].totals)

    kept = FlowlogCollector(state, labels, hold)
    render = renderer(metrics_registry(kept))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series_lines, "BLOCK", 2)
        for now["page"] in history:
            families = Families([plain(family) for family in FlowlogCollector(state, labels, hold).collect()])
            assert generate(families).decode() == b"".join(render(accept, {})[1]).decode()


class FixedHold(NewSeries):
    """Shows the values of series up to a given birth."""

    def __init__(self, shown: object) -> None:
        super().__init__(0.0)
        self._fixed = shown

    def begin_page(self, newest: int) -> int:
        """Return the given birth."""
        return self._fixed()  # type: ignore[operator, no-any-return]


def plain(family: Metric) -> Metric:
    """Return a family of samples only, which prometheus_client renders."""
    copy = Metric(family.name, family.documentation, family.type)
    copy.samples = family.samples
    return copy


def test_a_page_that_is_being_sent_does_not_change() -> None:
    """The next page shares only what is the same."""
    states = iter([STATE, replace(STATE, totals=STATE.totals._replace(traffic=[STATE.totals.traffic[0]]))])
    render = renderer(metrics_registry(FlowlogCollector(lambda: next(states))))

    first = render(TEXT, {})[1]
    before = b"".join(first)
    second = render(TEXT, {})[1]

    assert before == b"".join(first)
    assert before != b"".join(second)


def test_only_what_has_changed_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of the other series are the same objects as on the page before."""
    monkeypatch.setattr(series_lines, "BLOCK", 10)
    traffic = [TrafficTotal(Traffic(f"subnet-{n:02}", "a", "b", "c", "d"), n, n, n, 1) for n in range(50)]
    lines: series_lines.SeriesLines[TrafficTotal] = series_lines.SeriesLines(
        ("flowlog_flows", "flowlog_packets"), Traffic._fields, Traffic._fields
    )
    before = lines.families(traffic, 1)
    after = lines.families([*traffic[:25], traffic[25]._replace(flows=7), *traffic[26:]], 1)

    assert [[True, True, False, True, True], [True] * 5] == [
        [one is other for one, other in zip(first.blocks, second.blocks, strict=True)]
        for first, second in zip(before, after, strict=True)
    ]


def test_the_subnets_are_rendered_once_for_an_inventory() -> None:
    """And again for the next inventory, hostile names included."""
    made: list[Inventory] = []

    def make(inventory: Inventory) -> list[Metric]:
        made.append(inventory)
        family = GaugeMetricFamily("g", "G.", labels=("name",))
        for subnet in inventory.subnets:
            family.add_metric((subnet.name,), 1)
        return [family]

    first, second = (
        Inventory(1.0, tuple(Subnet("subnet-a", "vpc-1", "az", "10.0.0.0/24", name=name) for name in names))
        for names in (HOSTILE, HOSTILE[:1])
    )
    kept = KeptFamilies(make)
    pages = [b"".join(kept.of(inventory)[0].blocks) for inventory in (first, first, second)]

    assert [first, second] == made
    assert pages[0] == pages[1]
    header = b"# HELP g G.\n# TYPE g gauge\n"
    assert [header + pages[0], header + pages[2]] == [
        generate_latest(Families(make(inventory))) for inventory in (first, second)
    ]
