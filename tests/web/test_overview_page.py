"""The page at /, rendered from made-up data and read as its readers see it."""

from __future__ import annotations

import pytest

from kcl_flowlog.web.overview import Minutes, Overview, SubnetTraffic, Traffic
from kcl_flowlog.web.overview_page import Frame, does_refresh, page
from tests.support.html_page import Section, sections_of, tags_of
from tests.support.overviews import BAD, EMPTY, FULL, LARGE, STARTING, books, traffic, zone

FRAME = Frame("/flows/page", True, True)


def html(overview: Overview, frame: Frame = FRAME) -> str:
    return b"".join(page(overview, frame, [], []).body).decode()


def read(overview: Overview, frame: Frame = FRAME) -> dict[str, Section]:
    return sections_of(html(overview, frame))


@pytest.mark.parametrize(
    ("section", "lines"),
    [
        (
            "traffic",
            [
                "Subnet | Each minute | Bytes | In | Out | Rejected flows",
                "web-a subnet-0b1f5d2c7a9e40831 in production | | 34.7 GB | 24.8 GB | 9.9 GB | 2.5k",
            ],
        ),
        (
            "rejects",
            [
                "Subnet | Each minute | Flows | Sources | Ports",
                "cache-a subnet-0b1f5d2c7a9e413a4 | | 5.4k | 225 | 15",
                "2 more subnets not shown, all with less.",
            ],
        ),
        ("shards", ["Shard | Lag | Last record | Last commit", "shardId-000000000004 | 4 s | 6 s ago | 8 s ago"]),
        (
            "sources",
            [
                "Account | Region | Read",
                "unknown | eu-west-1 | never",
                "210987654321 not permitted: ec2:DescribeVpcs | eu-central-1 | 5 min ago",
            ],
        ),
        (
            "books",
            [
                "19,118,560 log events by outcome since the ledger began, as of 21 s ago. The books balance.",
                "nodata | 912,004 | 4.8 %",
                "malformed See the reason in flowlog_malformed_total, and the lines in the dead letters."
                " | 12 | < 0.1 %",
            ],
        ),
        ("instance", ["version | 1.2.3", "worker id | ip-10-0-3-17-4f1c"]),
        ("settings", ["--java-options | set, not shown", "--retrieval | polling", "--region | not set"]),
        ("", ["Shards read here | 5 of 12 open", "Largest lag | 4 s", "Inventory | 18 subnets, 412 interfaces"]),
    ],
)
def test_each_section_shows_what_is_known(section: str, lines: list[str]) -> None:
    found = read(FULL)[section].lines

    assert lines == [line for line in found if line in lines], found


def test_each_subnet_has_its_sparkline() -> None:
    """And all of them together have two."""
    found = read(FULL)

    assert (12, 10, 2) == (found["traffic"].charts, found["rejects"].charts, found[""].charts)


def test_a_large_network_shows_its_largest_and_says_how_many_more_there_are() -> None:
    """A thousand subnets and a hundred shards take no more room than twenty and twelve."""
    found, size = read(LARGE), len(html(LARGE))

    assert (20, 10) == (found["traffic"].charts, found["rejects"].charts)
    assert "980 more subnets not shown, all with less." == found["traffic"].lines[-1]
    assert "88 more shards not shown, all with less." == found["shards"].lines[-1]
    assert "shardId-000000000006 | unknown | none yet | none yet" == found["shards"].lines[2]
    assert size < 80_000


def test_what_is_missing_is_a_sentence() -> None:
    """No table is empty."""
    found = read(EMPTY)

    assert {
        "traffic": ["Nothing yet: the history begins with the start of this instance, and grows each minute."],
        "rejects": ["Nothing yet: the history begins with the start of this instance, and grows each minute."],
        "shards": ["This instance holds no shard; the other instances hold them all, or the leases are being taken."],
        "sources": ["EC2 has not been read yet."],
        "books": ["The ledger has not been read yet."],
    } == {name: found[name].lines[1:] for name in ("traffic", "rejects", "shards", "sources", "books")}
    assert "table" not in tags_of(html(EMPTY))


def test_an_instance_without_traffic_says_so() -> None:
    """A history of nothing is not a missing history."""
    quiet = Minutes(*([0.0] * 5 for _ in range(4)))
    found = read(EMPTY._replace(traffic=Traffic(5, quiet), books=books()._replace(outcomes=[])))

    assert ["Nothing was counted in the last 5 minutes."] == found["traffic"].lines[1:]
    assert ["No flow was rejected in the last 5 minutes."] == found["rejects"].lines[1:]
    assert ["No log event has been read yet."] == found["books"].lines[1:]


@pytest.mark.parametrize(("minutes", "period"), [(1, "minute"), (7, "7 minutes"), (60, "hour")])
def test_a_young_history_says_how_long_it_is(minutes: int, period: str) -> None:
    found = read(FULL._replace(traffic=traffic(3, minutes, zone)))

    assert found["rejects"].lines[1].startswith(f"Counted in the last {period}.")
    assert any(line.startswith(f"Accepted in the last {period} |") for line in found[""].lines)


def test_a_start_is_announced() -> None:
    assert "The KCL daemon is starting." in read(STARTING)[""].lines
    assert "This instance holds no shard yet." in read(STARTING)["shards"].lines


def test_books_that_do_not_balance_say_what_is_wrong() -> None:
    found = read(FULL._replace(books=books("The series have 3 flows more than were counted.")))["books"].lines

    assert "The series have 3 flows more than were counted." == found[1]
    assert found[2].endswith(", as of 21 s ago.")


def test_flows_of_deleted_subnets_are_named() -> None:
    """The books balance all the same."""
    found = read(FULL._replace(books=books()._replace(dropped=2000)))["books"].lines

    assert found[1].endswith(
        " The books balance, but for 2,000 counted flows that are in no series:"
        " those of deleted subnets, dropped after --series-ttl."
    )


def test_text_from_outside_is_neither_obeyed_nor_hidden() -> None:
    """Neither by the browser nor by the eye, whatever an account calls its subnets."""
    text = html(BAD)

    assert not tags_of(text) & {"script", "img"}
    assert "\u202e" not in text
    assert text.count("\\u202e") > 12
    assert "{{ 7 * 7 }}" in text


def test_a_subnet_that_leads_to_who_has_its_name_escaped() -> None:
    line = SubnetTraffic("subnet&a=b", "", "", Minutes([1.0], [1.0], [0.0], [5.0]), 1, 1)
    overview = EMPTY._replace(traffic=Traffic(1, line.minutes, [line]))

    assert '<a href="who?subnet=subnet%26a%3Db">subnet&amp;a=b</a>' in html(overview)


def test_without_who_nothing_leads_there() -> None:
    """And no distinct numbers are shown."""
    text = html(FULL, FRAME._replace(has_who=False))

    assert "who?" not in text
    assert '"who"' not in text
    assert "Subnet | Each minute | Flows" in sections_of(text)["rejects"].lines


def test_links_are_relative() -> None:
    """They work behind a proxy that adds a path prefix."""
    text = html(FULL)

    for target in ("./", "who", "flows/page", "-/healthy", "-/ready"):
        assert f'<a href="{target}"' in text
    assert 'href="/' not in text


@pytest.mark.parametrize(
    ("query", "refreshes"), [("", True), ("refresh=off", False), ("refresh=on", True), ("a=b&refresh=off", False)]
)
def test_a_reader_can_stop_the_refreshing(query: str, refreshes: bool) -> None:
    """By a link; no `<meta>` does it, which a reader could not stop."""
    assert refreshes == does_refresh(query)
    frame = FRAME._replace(refreshes=refreshes)

    assert ("30" if refreshes else None) == dict(page(FULL, frame, [], []).headers).get("Refresh")
    assert refreshes == ('<a href="./?refresh=off">' in html(FULL, frame))


def test_the_page_loads_nothing_and_is_kept_nowhere() -> None:
    headers = dict(page(FULL, FRAME, [], []).headers)

    assert "no-store" == headers["Cache-Control"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
