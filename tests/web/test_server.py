"""The web server, over real sockets on 127.0.0.1. Hostile clients are in test_hostile_clients.py."""

from __future__ import annotations

import contextlib
import gc
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import bcrypt
import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web import server as web_server
from kcl_flowlog.web import web_config_keeper
from kcl_flowlog.web.server import ANSWER_TIMEOUT, CLIENT_TIMEOUT, STOP_TIMEOUT, WebServer
from tests.support.attackers import HELLO
from tests.support.certificates import Authority
from tests.support.waiting import PATIENCE, eventually
from tests.support.web import LONG, PAGE, FakeContents, Serve, Write, basic, connect, get, trusting


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


# Pages


def test_a_request_is_answered(serve: Serve, contents: FakeContents) -> None:
    """Header and query reach the application, and its response reaches the client."""
    response = get(serve(), "/metrics?name[]=a", headers={"Accept": "text/plain"})

    assert (200, PAGE) == (response.status, response.body)
    assert [("text/plain", {"name[]": ["a"]})] == contents.requests


def test_a_large_page_arrives_complete(serve: Serve, contents: FakeContents) -> None:
    """Several MB, more than any buffer holds."""
    contents.page = os.urandom(5_000_000)

    assert contents.page == get(serve()).body


def test_a_connection_serves_many_requests(serve: Serve) -> None:
    """A scraper can keep its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", serve(client_timeout=LONG).port, timeout=PATIENCE)
    with contextlib.closing(connection):
        bodies, sockets = [], set()
        for _ in range(3):
            connection.request("GET", "/metrics")
            sockets.add(connection.sock)
            bodies.append(connection.getresponse().read())

    assert [PAGE] * 3 == bodies
    assert 1 == len(sockets)


@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy", "/none"])
def test_head_has_the_headers_of_get_and_no_body(serve: Serve, path: str) -> None:
    """Status and headers are the same, and the connection stays usable."""
    connection = http.client.HTTPConnection("127.0.0.1", serve(client_timeout=LONG).port, timeout=PATIENCE)
    replies = []
    with contextlib.closing(connection):
        for method in ("HEAD", "GET"):
            connection.request(method, path)
            response = connection.getresponse()
            headers = {name: value for name, value in response.getheaders() if name != "Date"}
            replies.append((response.status, headers, response.read()))

    head, got = replies
    assert (got[0], got[1], b"") == head
    assert len(got[2]) == int(got[1]["Content-Length"])


# Scrapes


def test_a_complete_scrape_counts(serve: Serve) -> None:
    """It counts once the last byte is sent, which may be after the client has read it."""
    server = serve()

    get(server)

    assert eventually(lambda: server.scrapes_answered == 1)


def test_the_next_scrape_begins_after_the_call(serve: Serve, contents: FakeContents) -> None:
    """A scrape under way may not show the last counts, so it is not the next."""
    server = serve()
    has_begun, may_go_on = threading.Event(), threading.Event()

    def slow(accept: str, query: Mapping[str, Sequence[str]]) -> tuple[str, Sequence[bytes]]:
        has_begun.set()
        may_go_on.wait(PATIENCE)
        return contents.render_page(accept, query)

    contents.render = slow
    scraper = threading.Thread(target=get, args=(server,))
    scraper.start()
    assert has_begun.wait(PATIENCE)
    answered = server.next_scrape()
    may_go_on.set()
    scraper.join()
    assert eventually(lambda: server.scrapes_answered == 1)
    was_answered_early = answered.is_set()
    get(server)

    assert not was_answered_early
    assert answered.wait(PATIENCE)


def test_a_scrape_that_breaks_off_does_not_count(serve: Serve, contents: FakeContents) -> None:
    """A client that goes away in the middle of a page has no counts."""
    contents.page = b"x" * 30_000_000
    server = serve()
    answered = server.next_scrape()

    with connect(server) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        client.recv(1000)
    # No thread is left afterwards that could still count it.
    server.stop()

    assert 1 == len(contents.requests)
    assert (0, False) == (server.scrapes_answered, answered.is_set())


# Timeouts


def test_silent_clients_are_disconnected(serve: Serve, tls_config: Path) -> None:
    """After the client timeout: before the first byte, and within a handshake."""
    server = serve(tls_config, client_timeout=0.1)
    with connect(server) as silent, connect(server) as stuck:
        stuck.sendall(HELLO)

        assert [b"", b""] == [silent.recv(1), stuck.recv(1)]


def test_a_request_has_a_deadline_as_a_whole(serve: Serve) -> None:
    """A client that sends a byte now and then does not get more time with each byte."""
    with connect(serve(client_timeout=0.5)) as client:
        client.setblocking(False)

        assert eventually(lambda: is_closed_after(client, b"G"))


def is_closed_after(client: socket.socket, data: bytes) -> bool:
    """Send, and say whether the server has closed the connection."""
    try:
        client.send(data)
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_an_answer_has_a_deadline_as_a_whole(serve: Serve, contents: FakeContents) -> None:
    """A client that reads a little now and then does not get the whole page; the scrape does not count."""
    contents.page = b"x" * 30_000_000
    server = serve(client_timeout=LONG, answer_timeout=0.5)
    received = b""
    with connect(server) as client, contextlib.suppress(ConnectionResetError):
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        while data := client.recv(10_000):
            received += data
            time.sleep(0.02)

    assert received.startswith(b"HTTP/1.1 200 OK")
    assert len(received) < len(contents.page)
    assert 0 == server.scrapes_answered


def test_the_timeouts_of_a_server() -> None:
    """docs/decisions.md promises them."""
    assert (5.0, 60.0, 2.0) == (CLIENT_TIMEOUT, ANSWER_TIMEOUT, STOP_TIMEOUT)


# TLS and the web configuration


def test_tls_uses_the_certificate_of_the_file(serve: Serve, authority: Authority, tls_config: Path) -> None:
    """A client that trusts the authority gets the page, and the URL says https."""
    server = serve(tls_config)

    response = get(server, context=trusting(authority))

    assert (200, PAGE) == (response.status, response.body)
    assert f"https://127.0.0.1:{server.port}/metrics" == server.url


def test_a_client_that_prefers_http_2_gets_http_1_1(serve: Serve, authority: Authority, tls_config: Path) -> None:
    """The handshake settles the protocol."""
    context = trusting(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])

    with context.wrap_socket(connect(serve(tls_config)), server_hostname="127.0.0.1") as client:
        assert "http/1.1" == client.selected_alpn_protocol()


def test_a_large_page_arrives_complete_over_tls(
    serve: Serve, contents: FakeContents, authority: Authority, tls_config: Path
) -> None:
    """It also counts as a scrape."""
    contents.page = os.urandom(5_000_000)
    server = serve(tls_config)

    assert contents.page == get(server, context=trusting(authority)).body
    assert eventually(lambda: server.scrapes_answered == 1)


def test_plain_http_to_a_tls_port_is_explained(
    serve: Serve, tls_config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A scraper with the wrong scheme can read what is wrong; the log stays clean."""
    response = get(serve(tls_config))

    assert (400, b"This port speaks only HTTPS\n") == (response.status, response.body)
    assert [] == caplog.records


def test_a_failed_handshake_leaves_no_trace(
    serve: Serve, authority: Authority, tls_config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that does not trust the certificate is no event for the log, and the server goes on."""
    server = serve(tls_config)

    with pytest.raises(ssl.SSLCertVerificationError):
        get(server, context=ssl.create_default_context())

    assert 200 == get(server, context=trusting(authority)).status
    assert [] == caplog.records


def test_a_client_that_closes_without_a_word_leaves_no_trace(
    serve: Serve, authority: Authority, tls_config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Port scanners and TCP health checks do that."""
    server = serve(tls_config)

    connect(server).close()

    assert 200 == get(server, context=trusting(authority)).status
    assert [] == caplog.records


def test_client_certificates_are_verified(serve: Serve, authority: Authority, tmp_path: Path, tls_config: Path) -> None:
    """With RequireAndVerifyClientCert, only a client with a certificate of the authority gets a page."""
    issued = authority.issue("server")
    tls_config.write_text(
        f"tls_server_config: {{cert_file: {issued.cert}, key_file: {issued.key}, "
        f"client_ca_file: {authority.cert}, client_auth_type: RequireAndVerifyClientCert}}\n"
    )
    unknown = Authority(tmp_path).issue("client")
    server = serve(tls_config)

    assert 200 == get(server, context=trusting(authority, authority.issue("client"))).status
    for context in (trusting(authority), trusting(authority, unknown)):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            get(server, context=context)


def test_min_version_is_in_force(serve: Serve, authority: Authority, tls_config: Path) -> None:
    """With TLS13, a client that speaks TLS 1.2 is refused."""
    tls_config.write_text(tls_config.read_text().replace("{cert", "{min_version: TLS13, cert"))
    server, old = serve(tls_config), trusting(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises(ssl.SSLError):
        get(server, context=old)
    assert 200 == get(server, context=trusting(authority)).status


def test_a_renewed_certificate_is_served_without_a_restart(
    serve: Serve, authority: Authority, tls_config: Path
) -> None:
    """The next connection sees it; a broken file changes nothing."""
    server, context = serve(tls_config), trusting(authority)

    def served() -> object:
        with context.wrap_socket(connect(server), server_hostname="127.0.0.1") as client:
            certificate = client.getpeercert()
            assert certificate is not None
            return certificate["subject"][0][0][1]

    before = served()
    tls_config.write_text("tls_server_config: [\n")
    while_broken = served()
    issued = authority.issue("renewed")
    tls_config.write_text(f"tls_server_config: {{cert_file: {issued.cert}, key_file: {issued.key}}}\n")

    assert ["server", "server", "renewed"] == [before, while_broken, served()]


PLAIN, TLS, RENEWED, MUTUAL = range(4)


@pytest.mark.parametrize(
    ("before", "after"),
    [(PLAIN, TLS), (TLS, RENEWED), (TLS, MUTUAL), (TLS, PLAIN)],
    ids=["TLS", "a renewed certificate", "client certificates", "no TLS any more"],
)
def test_a_kept_connection_ends_when_the_tls_settings_change(
    serve: Serve, authority: Authority, write: Write, monkeypatch: pytest.MonkeyPatch, before: int, after: int
) -> None:
    """The next answer says that it is the last, so the client comes again with the new settings."""
    monkeypatch.setattr(web_config_keeper, "SETTLE", 0.0)
    old, new = (authority.issue(name) for name in ("server", "renewed"))
    clients = f"client_ca_file: {authority.cert}, client_auth_type: RequireAndVerifyClientCert"
    texts = [
        "http_server_config: {headers: {X-Frame-Options: deny}}\n",
        f"tls_server_config: {{cert_file: {old.cert}, key_file: {old.key}}}\n",
        f"tls_server_config: {{cert_file: {new.cert}, key_file: {new.key}}}\n",
        f"tls_server_config: {{cert_file: {old.cert}, key_file: {old.key}, {clients}}}\n",
    ]
    port = serve(write(texts[before]), client_timeout=LONG).port
    connection = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        if before == PLAIN
        else http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=trusting(authority))
    )
    replies = []
    with contextlib.closing(connection):
        for config in (before, before, after):
            write(texts[config])
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            replies.append((response.read(), response.getheader("Connection")))

    assert [(PAGE, None), (PAGE, None), (PAGE, "close")] == replies


def test_users_and_headers_of_the_file_are_in_force(serve: Serve, write: Write) -> None:
    """The application gets the configuration of the file."""
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    server = serve(
        write(f"basic_auth_users: {{me: {hashed}}}\nhttp_server_config: {{headers: {{X-Frame-Options: deny}}}}\n")
    )

    refused, accepted = get(server), get(server, headers={"Authorization": basic("me:secret")})

    assert (401, 200) == (refused.status, accepted.status)
    assert "deny" == accepted.headers["X-Frame-Options"]


# Start and stop


def test_an_invalid_web_configuration_stops_the_start(serve: Serve, write: Write) -> None:
    """Nothing listens with a configuration that was meant otherwise."""
    with pytest.raises(ConfigError, match=r"web\.yml, line 1"):
        serve(write("tls: 1\n"))


def test_a_port_in_use_stops_the_start(serve: Serve, contents: FakeContents) -> None:
    """A stop afterwards is harmless."""
    other = WebServer(("127.0.0.1", serve().port), contents.pages())

    with pytest.raises(ConfigError, match="Address already in use"):
        other.start()
    other.stop()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://localhost:9100/metrics"),
        ("192.0.2.1", "http://192.0.2.1:9100/metrics"),
        ("::1", "http://[::1]:9100/metrics"),
    ],
)
def test_the_url_is_for_a_person_on_this_host(contents: FakeContents, host: str, url: str) -> None:
    """All addresses are shown as localhost, and IPv6 addresses in brackets."""
    assert url == WebServer((host, 9100), contents.pages()).url


def test_all_addresses_are_served(serve: Serve) -> None:
    """The URL has the port that the system chose."""
    server = serve(host="")

    assert 200 == get(server).status
    assert f"http://localhost:{server.port}/metrics" == server.url


@pytest.mark.parametrize("has_tls", [False, True])
def test_stop_leaves_no_thread_and_no_socket(
    serve: Serve, authority: Authority, tls_config: Path, has_tls: bool
) -> None:
    """Silent clients, and clients that stop within a request, don't delay it."""
    threads_before = set(threading.enumerate())
    server = serve(tls_config if has_tls else "", client_timeout=LONG, stop_timeout=0.1)
    files_while_serving, port = open_files(), server.port
    with connect(server), connect(server) as stuck:
        stuck.sendall(HELLO if has_tls else b"GET /metr")
        get(server, context=trusting(authority) if has_tls else None)

        stopping = threading.Thread(target=server.stop, daemon=True)
        stopping.start()
        stopping.join(PATIENCE)

    assert not stopping.is_alive()
    assert eventually(lambda: set(threading.enumerate()) <= threads_before)
    gc.collect()
    assert open_files() < files_while_serving
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def test_an_answered_connection_is_closed(serve: Serve) -> None:
    """Scrapes leave no socket behind, not even until the garbage collector runs."""
    server = serve()
    before = open_files()
    gc.disable()
    try:
        for _ in range(20):
            get(server)
        assert eventually(lambda: open_files() <= before)
    finally:
        gc.enable()


def test_no_thread_keeps_the_process_alive(serve: Serve) -> None:
    """A launcher that ends without a stop is not kept alive by its web server."""
    before = set(threading.enumerate())
    get(serve())

    assert {True} == {thread.daemon for thread in set(threading.enumerate()) - before}


def test_a_stop_does_not_wait_for_an_event_loop_that_hangs(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A web config file on a network drive that is gone would do that; the process can end without the thread."""
    monkeypatch.setattr(web_server, "_STOP_MARGIN", 0.0)
    server, may_go_on = serve(stop_timeout=0.1), threading.Event()
    assert server._running is not None
    thread = server._running._thread
    server._running._loop.call_soon_threadsafe(may_go_on.wait)

    server.stop()
    may_go_on.set()
    thread.join(PATIENCE)

    assert ["The web server does not stop, perhaps because its files can't be read; going on without it"] == [
        record.getMessage() for record in caplog.records
    ]


def test_stop_is_harmless_at_any_time(serve: Serve, contents: FakeContents) -> None:
    """Before the start, and twice."""
    WebServer(("127.0.0.1", 0), contents.pages()).stop()
    server = serve()

    server.stop()
    server.stop()
