"""Reading the metrics page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kcl_flowlog.demo.page import Page, parse, read
from kcl_flowlog.demo.tally import SeriesKey, Sums, Tally, add_up
from tests.support.demo_fakes import a_page, a_tally


def test_a_page_has_the_figures_that_it_shows() -> None:
    """Traffic, events and payloads are those that the page was made from."""
    tally = add_up([a_tally(3), a_tally(4, "subnet-2"), a_tally(1, outcome="nodata")])
    assert Page(tally, shards_held=2, daemon_up=True, lag=1.5) == parse(a_page(tally))


def test_an_empty_page_has_no_counts() -> None:
    """A page without series shows the state before the start."""
    assert Page(Tally(), shards_held=0, daemon_up=False, lag=None) == parse("")


def test_series_at_zero_count_as_absent() -> None:
    """A new series that still shows 0 adds nothing."""
    page = parse('flowlog_events_total{outcome="counted"} 0\nflowlog_payloads_total{outcome="data"} 0\n')
    assert Tally() == page.counted


def test_large_figures_keep_their_last_digit() -> None:
    """2^53 - 1 is read exactly, although it is written as a float."""
    key = SeriesKey("subnet-1", "ingress", "accept", "tcp", "internet")
    tally = Tally()
    tally.add_traffic(key, Sums(1, 2, 2**53 - 1))
    assert tally == parse(a_page(tally)).counted


class Handler(BaseHTTPRequestHandler):
    """Serves a page."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/metrics" else 503)
        self.end_headers()
        self.wfile.write(a_page(a_tally()).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of an HTTP server that answers on /metrics only."""
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_page_is_read_over_http(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The page comes from its URL and not through a proxy."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    page = read(url + "/metrics")
    assert page is not None
    assert a_tally() == page.counted


def test_no_answer_is_no_page(url: str) -> None:
    """An error status and a refused connection give no page."""
    assert read(url + "/nowhere") is None
    assert read("http://127.0.0.1:1/metrics") is None
