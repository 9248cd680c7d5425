"""The HTTP server, over real sockets on 127.0.0.1."""

import base64
import contextlib
import gc
import gzip
import http.client
import logging
import os
import socket
import ssl
import threading
import time

import bcrypt
import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.pages import Landing, Pages
from kcl_flowlog.web.server import WebServer, listen
from tests.support.certificates import Authority
from tests.support.demo_fakes import eventually

PAGE = b"flowlog_shards_held 2.0\n"


class World:
    """What the pages are made from, for a test to change."""

    def __init__(self):
        self.page = PAGE
        self.asked = []
        self.unhealthy = []
        self.unready = []

    def render(self, accept, query):
        self.asked.append((accept, query))
        return "text/plain; version=0.0.4; charset=utf-8", self.page

    def pages(self, path="/metrics"):
        landing = Landing(description="Flows & <more>", version="1.2.3", links=[("Manual", "https://example.org/")])
        return Pages(path, lambda *a: self.render(*a), lambda: self.unhealthy, lambda: self.unready, landing)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def serve(world):
    """Starts a sidecar on a free port of 127.0.0.1, and stops it afterwards."""
    with contextlib.ExitStack() as stack:

        def serve(web_config_file="", path="/metrics", host="127.0.0.1"):
            sidecar = WebServer((host, 0), world.pages(path), str(web_config_file))
            stack.callback(sidecar.stop)
            sidecar.start()
            return sidecar

        yield serve
    # A connection that was forgotten open shows here, in the test that forgot it.
    gc.collect()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def tls_config(authority, tmp_path):
    """A file that asks for TLS."""
    issued = authority.issue("server")
    path = tmp_path / "web.yml"
    path.write_text(f"tls_server_config: {{cert_file: {issued.cert}, key_file: {issued.key}}}\n")
    return path


def trusting(authority, client=None):
    context = ssl.create_default_context(cafile=authority.cert)
    if client is not None:
        context.load_cert_chain(client.cert, client.key)
    return context


def ask(sidecar, path="/metrics", method="GET", headers=None, context=None, body=None):
    """Return status, headers and body of one answer, over a connection of its own."""
    if context is None:
        connection = http.client.HTTPConnection("127.0.0.1", sidecar.port, timeout=10)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", sidecar.port, timeout=10, context=context)
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


# Pages


def test_the_metrics_are_what_was_rendered(serve, world):
    """The page goes out as it was made, and its maker is told what the scraper asked for."""
    status, headers, body = ask(serve(), "/metrics?name[]=a&name[]=b", headers={"Accept": "text/plain"})

    assert (200, "text/plain; version=0.0.4; charset=utf-8", PAGE) == (status, headers["Content-Type"], body)
    assert [("text/plain", {"name[]": ["a", "b"]})] == world.asked


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate, GZIP;q=0.5", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip; q=0.0", None),
        ("", None),
    ],
)
def test_the_metrics_are_compressed_for_who_takes_gzip(serve, accepted, encoding):
    """A page is compressed where the scraper said so, and reads the same."""
    _, headers, body = ask(serve(), headers={"Accept-Encoding": accepted})

    assert (encoding, PAGE) == (headers["Content-Encoding"], gzip.decompress(body) if encoding else body)
    assert "Accept, Accept-Encoding" == headers["Vary"]


def test_a_large_page_arrives_whole(serve, world):
    """Some 5 MB, more than any buffer takes at once, arrive byte by byte as they are."""
    world.page = b"".join(b'flowlog_flows_total{n="%d"} 1.0\n' % n for n in range(150_000))

    assert world.page == ask(serve())[2]


def test_the_metrics_are_where_they_were_asked_for(serve):
    """Another telemetry path moves the metrics, and the landing page links to it."""
    sidecar = serve(path="/flows/page")

    assert [200, 404] == [ask(sidecar, path)[0] for path in ("/flows/page", "/metrics")]
    assert b'<a href="flows/page">Metrics</a>' in ask(sidecar, "/")[2]


@pytest.mark.parametrize(("path", "reasons"), [("/-/healthy", "unhealthy"), ("/-/ready", "unready")])
def test_a_probe_is_ok_or_says_why_not(serve, world, path, reasons):
    """A probe fails with its reasons, one a line, and is fine again without."""
    sidecar = serve()

    before = ask(sidecar, path)
    getattr(world, reasons).extend(["The first.", "The second."])
    after = ask(sidecar, path)

    assert (200, b"OK\n") == (before[0], before[2])
    assert (503, b"The first.\nThe second.\n") == (after[0], after[2])


def test_the_landing_page_tells_the_state_and_leads_on(serve, world):
    """Name, description, version, links and what is wrong are there, and none of it is markup."""
    world.unready.append("No <leases> yet.")
    status, headers, body = ask(serve(), "/")
    page = body.decode()

    assert (200, "text/html; charset=utf-8") == (status, headers["Content-Type"])
    for part in (
        "<h1>kcl-flowlog</h1>",
        "Flows &amp; &lt;more&gt;",
        "Version: 1.2.3",
        '<a href="metrics">Metrics</a>',
        '<a href="-/ready">Readiness</a>',
        '<a href="https://example.org/">Manual</a>',
        'Healthy: <span class="yes">yes</span>',
        'Ready: <span class="no">no</span><ul><li>No &lt;leases&gt; yet.</li></ul>',
    ):
        assert part in page


@pytest.mark.parametrize("path", ["/metrics/", "/metric", "/-/", "/favicon.ico", "/metrics%2f"])
def test_other_paths_are_not_found(serve, path):
    """Nothing is served under a path that is only nearly one of ours."""
    assert 404 == ask(serve(), path)[0]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(serve, world, method):
    """All but GET and HEAD is refused before a page is made."""
    status, headers, _ = ask(serve(), method=method, body=b"x")

    assert (405, "GET, HEAD", []) == (status, headers["Allow"], world.asked)


@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy", "/none"])
def test_head_has_the_headers_of_get_and_no_body(serve, path):
    """HEAD tells the same status, type and length."""
    sidecar = serve()
    got, head = ask(sidecar, path), ask(sidecar, path, "HEAD")

    assert [got[0], *(got[1][name] for name in ("Content-Type", "Content-Length"))] == [
        head[0],
        *(head[1][name] for name in ("Content-Type", "Content-Length")),
    ]
    assert b"" == head[2]


def test_a_page_that_fails_is_a_500_and_the_server_goes_on(serve, world, caplog):
    """An error in a collector costs one answer, one line of the log, and nothing else."""
    good = world.render

    def fail(accept, query):
        raise RuntimeError("the ledger is gone")

    world.render = fail
    sidecar = serve()
    status, _, body = ask(sidecar)
    world.render = good

    assert (500, b"This page can't be made; the log says why.\n") == (status, body)
    assert [("kcl_flowlog.web.pages", logging.ERROR)] == [(r.name, r.levelno) for r in caplog.records]
    assert "the ledger is gone" in caplog.text
    assert 0 == sidecar.scrapes_answered
    assert 200 == ask(sidecar)[0]


def test_requests_are_logged_for_debugging_only(serve, caplog):
    """A scrape every few seconds leaves no trace in the log unless it is asked for."""
    with caplog.at_level(logging.DEBUG, "kcl_flowlog.web.pages"):
        ask(serve())

    assert ["127.0.0.1 GET /metrics: 200, 24 bytes"] == [r.getMessage() for r in caplog.records]
    assert {logging.DEBUG} == {r.levelno for r in caplog.records}


def test_a_connection_serves_many_requests(serve):
    """A scraper that keeps its connection can use it again."""
    connection = http.client.HTTPConnection("127.0.0.1", serve().port, timeout=10)
    with contextlib.closing(connection):
        bodies = []
        for _ in range(3):
            connection.request("GET", "/metrics")
            bodies.append(connection.getresponse().read())
            socket_used = connection.sock
            assert socket_used is not None

    assert [PAGE] * 3 == bodies


# Scrapes


def test_scrapes_of_the_whole_page_are_counted(serve):
    """Only what carried all metrics to its last byte counts: no HEAD, no part, no other page."""
    sidecar = serve()

    for method, path in (("GET", "/"), ("HEAD", "/metrics"), ("GET", "/metrics?name[]=a"), ("GET", "/-/ready")):
        ask(sidecar, path, method)
    assert 0 == sidecar.scrapes_answered
    ask(sidecar)
    ask(sidecar, "/metrics?debug=1")
    assert eventually(lambda: sidecar.scrapes_answered == 2)


def test_the_next_scrape_is_one_that_begins_afterwards(serve, world):
    """A scrape that was on its way when the last counts came may not hold them: it is not waited for."""
    sidecar = serve()
    begun, go_on = threading.Event(), threading.Event()
    good = world.render

    def slow(accept, query):
        begun.set()
        go_on.wait(10)
        return good(accept, query)

    world.render = slow
    scraper = threading.Thread(target=ask, args=(sidecar,))
    scraper.start()
    begun.wait(10)
    answered = sidecar.next_scrape()
    go_on.set()
    scraper.join()

    assert eventually(lambda: sidecar.scrapes_answered == 1)
    assert not answered.is_set()
    ask(sidecar)
    assert answered.wait(5)


def test_a_scrape_that_broke_off_was_not_answered(serve, world):
    """A scraper that goes away in the middle of a page has no counts."""
    world.page = b"x" * 30_000_000
    sidecar = serve()
    answered = sidecar.next_scrape()

    with socket.create_connection(("127.0.0.1", sidecar.port), timeout=5) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        client.recv(1000)
    assert eventually(lambda: len(world.asked) == 1)
    assert not answered.wait(0.5)
    assert 0 == sidecar.scrapes_answered


# TLS and users


def test_tls_is_spoken_with_the_certificate_of_the_file(serve, authority, tls_config):
    """A scraper that trusts the authority gets the page, and the address says https."""
    sidecar = serve(tls_config)

    assert (200, PAGE) == ask(sidecar, context=trusting(authority))[::2]
    assert f"https://127.0.0.1:{sidecar.port}/metrics" == sidecar.url


def test_a_large_page_arrives_whole_over_tls(serve, world, authority, tls_config):
    """TLS loses nothing of a page of some MB, and counts it as answered."""
    world.page = os.urandom(5_000_000)
    sidecar = serve(tls_config)

    assert world.page == ask(sidecar, context=trusting(authority))[2]
    assert eventually(lambda: sidecar.scrapes_answered == 1)


def _idle(sidecar):
    return socket.create_connection(("127.0.0.1", sidecar.port), timeout=10)


def _idle_after_the_handshake(sidecar, context):
    return context.wrap_socket(_idle(sidecar), server_hostname="127.0.0.1")


def test_idle_tls_clients_hold_up_nobody(serve, authority, tls_config):
    """With 30 clients that never speak, and 30 more that shook hands and fell silent, all are served in under 2 s."""
    sidecar, context = serve(tls_config), trusting(authority)
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(_idle(sidecar))
            stack.enter_context(_idle_after_the_handshake(sidecar, context))

        status, _, _ = ask(sidecar, context=context)

    assert 200 == status
    assert time.monotonic() - start < 2


def test_clients_stuck_in_the_handshake_hold_up_nobody(serve, authority, tls_config):
    """With 20 clients that sent only the first bytes of a handshake, a scrape takes under 2 s."""
    sidecar = serve(tls_config)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(_idle(sidecar)).sendall(b"\x16\x03\x01")

        start = time.monotonic()
        status, _, _ = ask(sidecar, context=trusting(authority))

    assert 200 == status
    assert time.monotonic() - start < 2


def test_idle_clients_without_tls_hold_up_nobody(serve):
    """With 60 silent clients, more than there are threads, a scrape takes under 2 s."""
    sidecar = serve()
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(_idle(sidecar))

        start = time.monotonic()
        status, _, _ = ask(sidecar)

    assert 200 == status
    assert time.monotonic() - start < 2


def test_a_silent_client_is_let_go(serve, tls_config):
    """Whoever says nothing for 5 s, or stops within a handshake, finds the connection closed."""
    sidecar = serve(tls_config)
    with _idle(sidecar) as silent, _idle(sidecar) as stuck:
        stuck.sendall(b"\x16\x03\x01")

        assert [b"", b""] == [silent.recv(1), stuck.recv(1)]


def test_plain_http_to_a_tls_port_is_told_so(serve, tls_config, caplog):
    """A scraper with the wrong scheme reads what is wrong."""
    status, _, body = ask(serve(tls_config))

    assert (400, b"This port speaks HTTPS, and only that\n") == (status, body)
    assert [] == caplog.records


def test_a_client_that_does_not_trust_us_leaves_no_trace(serve, authority, tls_config, caplog):
    """A failed handshake is not worth a line of the log, and the server goes on."""
    sidecar = serve(tls_config)

    with pytest.raises(ssl.SSLCertVerificationError):
        ask(sidecar, context=ssl.create_default_context())
    assert 200 == ask(sidecar, context=trusting(authority))[0]
    assert [] == caplog.records


def test_clients_need_a_certificate_where_the_file_says_so(serve, authority, tmp_path, tls_config):
    """With RequireAndVerifyClientCert only a client with a certificate of the authority gets a page."""
    issued = authority.issue("server")
    tls_config.write_text(
        f"tls_server_config: {{cert_file: {issued.cert}, key_file: {issued.key}, "
        f"client_ca_file: {authority.cert}, client_auth_type: RequireAndVerifyClientCert}}\n"
    )
    stranger = Authority(tmp_path).issue("client")
    sidecar = serve(tls_config)

    assert 200 == ask(sidecar, context=trusting(authority, authority.issue("client")))[0]
    for context in (trusting(authority), trusting(authority, stranger)):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            ask(sidecar, context=context)


def test_a_client_of_an_older_tls_is_refused(serve, authority, tls_config):
    """min_version is kept: where it is TLS13, a client with TLS 1.2 gets nothing."""
    tls_config.write_text(tls_config.read_text().replace("{cert", "{min_version: TLS13, cert"))
    sidecar, old = serve(tls_config), trusting(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises(ssl.SSLError):
        ask(sidecar, context=old)
    assert 200 == ask(sidecar, context=trusting(authority))[0]


def test_a_renewed_certificate_is_served_without_a_restart(serve, authority, tls_config):
    """The next connection after a renewal sees the new certificate; a broken one is never served."""
    sidecar, context = serve(tls_config), trusting(authority)

    def served():
        with _idle_after_the_handshake(sidecar, context) as client:
            return client.getpeercert()["subject"][0][0][1]

    before = served()
    tls_config.write_text("tls_server_config: [\n")
    while_broken = served()
    issued = authority.issue("renewed")
    tls_config.write_text(f"tls_server_config: {{cert_file: {issued.cert}, key_file: {issued.key}}}\n")

    assert ["server", "server", "renewed"] == [before, while_broken, served()]


def _basic(credentials):
    return {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


def test_every_path_wants_a_user(serve, world, tmp_path):
    """With users in the file nothing is answered without one, not even what there is and what is not."""
    path = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    path.write_text(f"basic_auth_users: {{prometheus: {hashed}}}\n")
    sidecar = serve(path)
    paths = ["/metrics", "/", "/-/healthy", "/-/ready", "/none"]

    assert [401] * 5 == [ask(sidecar, p)[0] for p in paths]
    assert [401] * 5 == [ask(sidecar, p, headers=_basic("prometheus:wrong"))[0] for p in paths]
    assert [] == world.asked
    assert [200, 200, 200, 200, 404] == [ask(sidecar, p, headers=_basic("prometheus:secret"))[0] for p in paths]
    assert 'Basic realm="kcl-flowlog"' == ask(sidecar)[1]["WWW-Authenticate"]


def test_headers_of_the_file_are_on_every_answer(serve, tmp_path):
    """What http_server_config sets is there on pages and refusals alike."""
    path = tmp_path / "web.yml"
    path.write_text("http_server_config: {headers: {X-Frame-Options: deny}}\n")
    sidecar = serve(path)

    assert ["deny"] * 3 == [ask(sidecar, p)[1]["X-Frame-Options"] for p in ("/metrics", "/", "/none")]


# Start and stop


def test_a_broken_file_stops_the_start(serve, tmp_path):
    """A web configuration that can't be used is said at once, and nothing listens."""
    path = tmp_path / "web.yml"
    path.write_text("tls: 1\n")

    with pytest.raises(ConfigError, match=r"web\.yml, line 1"):
        serve(path)


def test_an_address_in_use_is_said(serve):
    """The sentence names the option and the address."""
    port = serve().port
    other = WebServer(("127.0.0.1", port), World().pages())

    with pytest.raises(ConfigError) as refused:
        other.start()
    other.stop()

    assert f"--web.listen-address '127.0.0.1:{port}' can't be listened on: Address already in use." == str(
        refused.value
    )


@pytest.mark.parametrize(
    ("host", "why"),
    [("192.0.2.1", "Cannot assign requested address"), ("host.invalid", "there is no such host"), ("a..b", "no such")],
)
def test_an_address_that_is_not_ours_is_said(host, why):
    """An address of another host and a name of none are the user's move."""
    with pytest.raises(ConfigError, match=rf"--web.listen-address '{host}:0' can't be listened on: .*{why}"):
        listen(host, 0)


def test_an_empty_host_is_all_addresses():
    """Without a host, IPv4 is listened on, and IPv6 where there is any."""
    with listen("", 0) as listening:
        port = listening.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        if socket.has_dualstack_ipv6():
            socket.create_connection(("::1", port), timeout=5).close()


def test_without_ipv6_an_empty_host_is_all_of_ipv4(monkeypatch):
    """A host that has no IPv6 is served as well."""
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)

    with listen("", 0) as listening:
        assert "0.0.0.0" == listening.getsockname()[0]


def test_all_addresses_are_served(serve):
    """A server on all addresses answers, and says an address that a person can use."""
    sidecar = serve(host="")

    assert 200 == ask(sidecar)[0]
    assert f"http://localhost:{sidecar.port}/metrics" == sidecar.url


@pytest.mark.parametrize("with_tls", [False, True])
def test_stop_leaves_no_thread_and_no_socket(serve, authority, tls_config, with_tls):
    """After a stop, with clients still there, all is as before the start."""
    threads = set(threading.enumerate())
    sidecar, context = serve(tls_config if with_tls else ""), trusting(authority)
    files = _open_files()
    with _idle(sidecar), _idle(sidecar) as stuck:
        stuck.sendall(b"\x16\x03" if with_tls else b"GET /metr")
        ask(sidecar, context=context if with_tls else None)

        start = time.monotonic()
        sidecar.stop()
        took = time.monotonic() - start

    assert took < 5
    assert eventually(lambda: set(threading.enumerate()) <= threads)
    assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
    gc.collect()
    assert _open_files() < files
    with pytest.raises(ConnectionRefusedError):
        _idle(sidecar)


def test_a_connection_is_closed_when_it_is_done(serve):
    """Scrapes leave no socket behind, not even until the garbage is collected."""
    sidecar = serve()
    before = _open_files()
    gc.disable()
    try:
        for _ in range(20):
            ask(sidecar)
        assert eventually(lambda: _open_files() <= before)
    finally:
        gc.enable()


def _open_files():
    return len(os.listdir("/proc/self/fd"))


def test_the_threads_do_not_keep_a_process_alive(serve):
    """A launcher that dies without a stop ends all the same: every thread is a daemon."""
    before = set(threading.enumerate())
    ask(serve())

    assert {True} == {thread.daemon for thread in set(threading.enumerate()) - before}


def test_stop_may_come_at_any_time(serve):
    """A stop before the start, and a second one, do nothing."""
    WebServer(("127.0.0.1", 0), World().pages()).stop()
    sidecar = serve()

    sidecar.stop()
    sidecar.stop()
