"""Reading the metrics page."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kcl_flowlog.demo.page import Page, parse, read
from kcl_flowlog.demo.truth import Key, Sums, Truth, total
from tests.support.demo_fakes import a_page, a_truth


def test_a_page_is_read_as_the_truth_that_it_shows():
    """Traffic, events and payloads of a page equal those it was made from."""
    truth = total([a_truth(3), a_truth(4, "subnet-2"), a_truth(1, outcome="nodata")])
    assert Page(truth, shards_held=2, daemon_up=True, lag=1.5) == parse(a_page(truth))


def test_an_empty_page_shows_nothing_counted():
    """A page without series is the state before the start."""
    assert Page(Truth(), shards_held=0, daemon_up=False, lag=None) == parse("")


def test_series_at_zero_are_as_good_as_absent():
    """A newborn series that still shows 0 adds nothing."""
    page = parse('flowlog_events_total{outcome="counted"} 0\nflowlog_payloads_total{outcome="data"} 0\n')
    assert Truth() == page.counted


def test_large_figures_keep_their_last_digit():
    """A float of 2^53 - 1 is read exactly."""
    key = Key("subnet-1", "ingress", "accept", "tcp", "internet")
    truth = Truth()
    truth.add_traffic(key, Sums(1, 2, 2**53 - 1))
    assert truth == parse(a_page(truth)).counted


class Handler(BaseHTTPRequestHandler):
    """Serves one page."""

    def do_GET(self):
        self.send_response(200 if self.path == "/metrics" else 503)
        self.end_headers()
        self.wfile.write(a_page(a_truth()).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def url():
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_page_is_fetched_over_http(url):
    """The page comes from its URL, past any proxy of the environment."""
    page = read(url + "/metrics")
    assert page is not None
    assert a_truth() == page.counted


def test_no_answer_is_no_page(url):
    """An error status and a refused connection are both no page."""
    assert read(url + "/nowhere") is None
    assert read("http://127.0.0.1:1/metrics") is None
