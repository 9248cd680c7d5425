"""The pages, asked without a server."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import bcrypt
import pytest

from kcl_flowlog.web import kept_page
from kcl_flowlog.web.basic_auth import BasicAuth, Verdict
from kcl_flowlog.web.exchange import Request, Response
from kcl_flowlog.web.pages import Application
from kcl_flowlog.web.rate_limit import RateLimit
from kcl_flowlog.web.scrapes import Scrapes
from kcl_flowlog.web.web_config import WebConfig
from kcl_flowlog.web.who_page import Answer, Question
from kcl_flowlog.web.worker import Worker
from tests.support.web import LONG, PAGE, TEXT, FakeContents, basic


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """Asks an application as the server would, request by request."""

    def __init__(self, contents: FakeContents, telemetry_path: str = "/metrics") -> None:
        self.config = WebConfig()
        self.scrapes = Scrapes()
        self._application = Application(contents.pages(telemetry_path), lambda: self.config, self.scrapes)
        self._loop = asyncio.new_event_loop()

    def begin(self, path: str, method: str = "GET", query: str = "", **headers: str) -> Response:
        """Return a response of which nothing has been sent."""
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        request = Request(method, path, query, pairs, "2001:db8::1", "2001:db8::/64")
        return self._loop.run_until_complete(self._application.answer(request))

    def get(self, path: str, method: str = "GET", query: str = "", **headers: str) -> Reply:
        """Return a response that has been sent."""
        response = self.begin(path, method, query, **headers)
        response.when_sent()
        all_headers = {"Content-Type": response.content_type, **dict(response.headers)}
        return Reply(response.status.value, all_headers, b"".join(response.body))

    def close(self) -> None:
        self._application.stop()
        self._loop.close()


class Nobody:
    """Knows of no subnet."""

    def answer(self, question: Question) -> Answer:
        return Answer([])

    def own(self, question: Question) -> bytes:
        return b""


@pytest.fixture
def client(contents: FakeContents) -> Iterator[Client]:
    client = Client(contents)
    yield client
    client.close()


def test_the_metrics_are_as_rendered(client: Client, contents: FakeContents) -> None:
    """The page is sent unchanged, and the renderer gets the header and the query."""
    reply = client.get("/metrics", query="name[]=a&name[]=b", accept="text/plain")

    assert (200, TEXT, PAGE) == (reply.status, reply.headers["Content-Type"], reply.body)
    assert [("text/plain", {"name[]": ["a", "b"]})] == contents.requests


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("deflate, gzip", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("", False),
    ],
)
def test_the_metrics_are_compressed_if_the_client_accepts_gzip(
    client: Client, accepted: str, is_compressed: bool
) -> None:
    """Both forms hold the same page, and `Vary` keeps caches from mixing them up."""
    reply = client.get("/metrics", accept_encoding=accepted)

    assert ("gzip" if is_compressed else None) == reply.headers.get("Content-Encoding")
    assert PAGE == (gzip.decompress(reply.body) if is_compressed else reply.body)
    assert "Accept, Accept-Encoding" == reply.headers["Vary"]


def test_the_telemetry_path_moves_the_metrics(contents: FakeContents) -> None:
    """The metrics are under the configured path only, and the overview links to it."""
    client = Client(contents, "/flows/page")

    assert [200, 404] == [client.get(path).status for path in ("/flows/page", "/metrics")]
    assert b'<a href="flows/page">Metrics</a>' in client.get("/").body


def test_a_health_check_fails_with_its_reasons(client: Client, contents: FakeContents) -> None:
    """Each check has its own reasons, one a line."""
    contents.unhealthy = ["Stuck."]
    contents.not_ready = ["No inventory.", "No daemon."]

    healthy, ready = client.get("/-/healthy"), client.get("/-/ready")

    assert (503, b"Stuck.\n") == (healthy.status, healthy.body)
    assert (503, b"No inventory.\nNo daemon.\n") == (ready.status, ready.body)


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_a_health_check_without_reasons_passes(client: Client, path: str) -> None:
    """The status is 200 and the body says OK."""
    reply = client.get(path)

    assert (200, "text/plain; charset=utf-8", b"OK\n") == (reply.status, reply.headers["Content-Type"], reply.body)


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
@pytest.mark.parametrize(
    ("are_open", "credentials", "reasons", "expected"),
    [
        (False, "", [], (401, b"Unauthorized\n")),
        (False, "me:secret", ["Stuck."], (503, b"Stuck.\n")),
        (True, "", [], (200, b"OK\n")),
        (True, "", ["Shard 7 is stuck."], (503, b"Failed\n")),
        (True, "me:secret", ["Stuck."], (503, b"Stuck.\n")),
        (True, "me:wrong", [], (401, b"Unauthorized\n")),
    ],
)
def test_open_probes_answer_requests_without_credentials_by_a_word(
    contents: FakeContents,
    path: str,
    are_open: bool,
    credentials: str,
    reasons: list[str],
    expected: tuple[int, bytes],
) -> None:
    """Credentials are checked all the same, and right credentials get the reasons."""
    contents.are_probes_open, contents.unhealthy, contents.not_ready = are_open, reasons, reasons
    client = Client(contents)
    client.config = WebConfig(users={"me": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()})

    reply = client.get(path, **({"authorization": basic(credentials)} if credentials else {}))
    client.close()

    assert expected == (reply.status, reply.body)


@pytest.mark.parametrize(("knows_who", "expected"), [(False, [404, 404, False]), (True, [401, 401, 200, 200, True])])
def test_who_needs_the_credentials_of_the_metrics_and_is_linked(
    contents: FakeContents, knows_who: bool, expected: list[object]
) -> None:
    """Without it there are no such pages, and no link."""
    contents.who = Nobody() if knows_who else None
    client = Client(contents)
    paths = ("/who", "/api/v1/who")
    client.config = WebConfig(users={"me": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()})

    statuses = [client.get(path).status for path in paths] if knows_who else []
    with_credentials = {"authorization": basic("me:secret")}
    statuses += [client.get(path, **with_credentials).status for path in paths]
    is_linked = b'<a href="who">Who?</a>' in client.get("/", **with_credentials).body
    client.close()

    assert expected == [*statuses, is_linked]


def test_open_probes_open_nothing_else(contents: FakeContents) -> None:
    """Also not a path that looks alike, or another method."""
    contents.are_probes_open = True
    client = Client(contents)
    client.config = WebConfig(users={"me": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()})

    paths = ("/", "/metrics", "/-/", "/-/healthy/", "/-/Ready", "/none")
    statuses = [client.get(path).status for path in paths]
    posted = client.get("/-/healthy", method="POST").status
    client.close()

    assert ([401] * len(paths), 405) == (statuses, posted)


def test_the_overview_shows_both_checks_with_their_reasons(client: Client, contents: FakeContents) -> None:
    """Each list of reasons belongs to its own check."""
    contents.not_ready = ["No <leases>."]

    reply = client.get("/")

    assert (200, "text/html; charset=utf-8") == (reply.status, reply.headers["Content-Type"])
    assert b'<dt>Healthy</dt><dd><span class="good">yes</span></dd>' in reply.body
    assert b'<dt>Ready</dt><dd><span class="bad">no</span></dd>' in reply.body
    assert b"<strong>Not ready:</strong>\n<ul>\n<li>No &lt;leases&gt;.</li>\n</ul>" in reply.body


def test_the_overview_is_made_once_for_all_clients(
    client: Client, contents: FakeContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without refreshing itself: a reader who reloads it again and again costs nothing."""
    monkeypatch.setattr(kept_page, "KEPT_FOR", LONG)

    for query in ("", "refresh=off", "x=1", "refresh=off"):
        assert 200 == client.get("/", query=query).status

    assert 2 == contents.overviews_read


@pytest.mark.parametrize("path", ["/metrics/", "/metric", "/-/", "/favicon.ico", "/metrics%2f", ""])
def test_other_paths_are_not_found(client: Client, path: str) -> None:
    """A path that is nearly right is wrong."""
    assert 404 == client.get(path).status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(client: Client, contents: FakeContents, method: str) -> None:
    """Only GET and HEAD are allowed; no page is made for the others."""
    reply = client.get("/metrics", method)

    assert (405, "GET, HEAD", []) == (reply.status, reply.headers["Allow"], contents.requests)


def test_a_page_that_fails_is_a_500(client: Client, contents: FakeContents, caplog: pytest.LogCaptureFixture) -> None:
    """It costs one response and one error in the log; the next request is answered as usual."""

    def fail(accept: str, query: object) -> tuple[str, Sequence[bytes]]:
        raise RuntimeError("the ledger is gone")

    contents.render = fail
    failed = client.get("/metrics")
    contents.render = contents.render_page
    after = client.get("/metrics")

    assert (500, b"Cannot make this page; see the log.\n") == (failed.status, failed.body)
    (record,) = caplog.records
    assert (logging.ERROR, "Cannot make a page", {"path": "/metrics"}) == (
        record.levelno,
        record.getMessage(),
        record.fields,  # type: ignore[attr-defined]
    )
    assert "the ledger is gone" in caplog.text
    assert 200 == after.status
    assert 1 == client.scrapes.answered


def test_requests_are_logged_at_debug_only(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A scrape every few seconds leaves no trace in a normal log."""
    with caplog.at_level(logging.DEBUG, "kcl_flowlog.web.pages"):
        client.get("/metrics")

    (record,) = caplog.records
    assert (logging.DEBUG, "Answered a request") == (record.levelno, record.getMessage())
    assert {"client": "2001:db8::1", "method": "GET", "path": "/metrics", "status": 200, "bytes": len(PAGE)} == (
        record.fields  # type: ignore[attr-defined]
    )


# Scrapes


@pytest.mark.parametrize(
    ("path", "method", "query", "answered"),
    [
        ("/metrics", "GET", "", 1),
        ("/metrics", "GET", "debug=1", 1),
        ("/metrics", "GET", "name[]=a", 0),
        ("/metrics", "HEAD", "", 0),
        ("/metrics", "POST", "", 0),
        ("/", "GET", "", 0),
        ("/-/ready", "GET", "", 0),
        ("/none", "GET", "", 0),
    ],
)
def test_only_a_request_for_all_metrics_is_a_scrape(
    client: Client, path: str, method: str, query: str, answered: int
) -> None:
    """Part of the metrics, or another page, does not count."""
    client.get(path, method, query)

    assert answered == client.scrapes.answered


def test_a_scrape_counts_after_its_last_byte(client: Client) -> None:
    """The server says when it has sent the last byte."""
    response = client.begin("/metrics")
    before = client.scrapes.answered
    response.when_sent()

    assert [0, 1] == [before, client.scrapes.answered]


def test_a_rejected_scrape_does_not_count(client: Client) -> None:
    """A scraper without a password has seen no counts."""
    client.config = WebConfig(users={"me": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()})

    client.get("/metrics")

    assert 0 == client.scrapes.answered


# The web configuration


def test_every_path_needs_a_user(client: Client, contents: FakeContents) -> None:
    """Without valid credentials a client does not even learn which paths exist."""
    client.config = WebConfig(users={"prometheus": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()})
    paths = ["/metrics", "/", "/-/healthy", "/-/ready", "/none"]

    without = [client.get(path) for path in paths]
    wrong = [client.get(path, authorization=basic("prometheus:wrong")) for path in paths]
    requests_before = list(contents.requests)
    right = [client.get(path, authorization=basic("prometheus:secret")) for path in paths]

    assert {(401, b"Unauthorized\n")} == {(reply.status, reply.body) for reply in without + wrong}
    assert {'Basic realm="kcl-flowlog"'} == {reply.headers["WWW-Authenticate"] for reply in without + wrong}
    assert [] == requests_before
    assert [200] * 4 + [404] == [reply.status for reply in right]


def test_a_known_user_does_not_wait_for_those_who_guess(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left to do in the thread that checks passwords."""
    client.config = WebConfig(users={"prometheus": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()})
    client.get("/metrics", authorization=basic("prometheus:secret"))
    monkeypatch.setattr(Worker, "do", None)

    assert 200 == client.get("/metrics", authorization=basic("prometheus:secret")).status


def test_credentials_that_were_not_checked_may_come_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """While too many others wait, the answer is neither a page nor a rejection, and the client's network counts."""
    networks: list[str] = []

    async def check(auth: BasicAuth, users: Mapping[str, str], authorization: str, network: str) -> Verdict:
        networks.append(network)
        return Verdict.BUSY

    monkeypatch.setattr(BasicAuth, "check", check)
    client.config = WebConfig(users={"prometheus": "$2b$04$" + "a" * 53})
    reply = client.get("/metrics", authorization=basic("prometheus:secret"))

    assert (429, "1") == (reply.status, reply.headers["Retry-After"])
    assert ["2001:db8::/64"] == networks


def test_configured_headers_are_on_every_response(client: Client) -> None:
    """Pages and errors have them, and a change applies to the next request."""
    before = client.get("/metrics")
    client.config = WebConfig(headers=(("X-Frame-Options", "deny"),))

    assert "X-Frame-Options" not in before.headers
    assert ["deny"] * 3 == [client.get(path).headers["X-Frame-Options"] for path in ("/metrics", "/", "/none")]


def test_a_network_over_its_rate_limit_is_refused(client: Client) -> None:
    """With the headers of every answer; without a limit nothing is counted."""
    client.config = WebConfig(headers=(("X-Frame-Options", "deny"),), rate_limit=RateLimit(1000.0, 2))

    replies = [client.get("/metrics") for _ in range(3)]

    assert [200, 200, 429] == [reply.status for reply in replies]
    assert {"Retry-After": "1", "X-Frame-Options": "deny"}.items() <= replies[2].headers.items()
