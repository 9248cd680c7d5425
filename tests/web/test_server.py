"""The web server, over real sockets on 127.0.0.1.

Clients that hold up others are found without a clock: `LONG` outlasts a test, so a request that has to wait for a
silent client is never answered.
"""

from __future__ import annotations

import contextlib
import gc
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import bcrypt
import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.server import CLIENT_TIMEOUT, WebServer
from tests.support.certificates import Authority
from tests.support.waiting import PATIENCE, eventually
from tests.support.web import PAGE, FakeContents, basic, connect, get, trusting

Write = Callable[[str], Path]
Serve = Callable[..., WebServer]

LONG = 3600.0
# The first bytes of a TLS handshake.
HELLO = b"\x16\x03\x01"


@pytest.fixture
def serve(contents: FakeContents) -> Iterator[Serve]:
    """Starts a server on a free port of 127.0.0.1, and stops it after the test."""
    with contextlib.ExitStack() as stack:

        def serve(web_config_file: Path | str = "", host: str = "127.0.0.1", **timeouts: float) -> WebServer:
            server = WebServer((host, 0), contents.pages(), str(web_config_file), **timeouts)
            stack.callback(server.stop)
            server.start()
            return server

        yield serve
    # An unclosed connection becomes a warning here, in the test that forgot it.
    gc.collect()


@pytest.fixture
def tls_config(authority: Authority, write: Write) -> Path:
    """A web configuration with TLS."""
    issued = authority.issue("server")
    return write(f"tls_server_config: {{cert_file: {issued.cert}, key_file: {issued.key}}}\n")


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


@pytest.mark.parametrize(("path", "status"), [("/metrics", 200), ("/" + "x" * 70_000, 414)])
def test_a_long_request_line_is_refused(serve: Serve, path: str, status: int) -> None:
    """A client cannot fill the memory with a request."""
    assert status == get(serve(), path).status


def test_a_large_header_is_refused(serve: Serve) -> None:
    """Headers may have 64 KiB together."""
    headers = {f"X-{number}": "x" * 10_000 for number in range(8)}

    assert 413 == get(serve(), headers=headers).status


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

    def slow(accept: str, query: Mapping[str, Sequence[str]]) -> tuple[str, bytes]:
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


# Slow and silent clients


def test_silent_clients_hold_up_nobody(serve: Serve) -> None:
    """60 silent clients, more than there are worker threads, and a request is answered."""
    server = serve(client_timeout=LONG)
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(connect(server))

        assert 200 == get(server).status


def test_silent_tls_clients_hold_up_nobody(serve: Serve, authority: Authority, tls_config: Path) -> None:
    """30 clients that send nothing, and 30 that are silent after the handshake, and a request is answered."""
    server, context = serve(tls_config, client_timeout=LONG), trusting(authority)
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(connect(server))
            stack.enter_context(context.wrap_socket(connect(server), server_hostname="127.0.0.1"))

        assert 200 == get(server, context=context).status


def test_clients_stuck_in_the_handshake_hold_up_nobody(serve: Serve, authority: Authority, tls_config: Path) -> None:
    """20 clients that stop after the first bytes of a handshake, and a request is answered."""
    server = serve(tls_config, client_timeout=LONG)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connect(server)).sendall(HELLO)

        assert 200 == get(server, context=trusting(authority)).status


def test_silent_clients_are_disconnected(serve: Serve, tls_config: Path) -> None:
    """After the client timeout: before the first byte, and within a handshake."""
    server = serve(tls_config, client_timeout=0.1)
    with connect(server) as silent, connect(server) as stuck:
        stuck.sendall(HELLO)

        assert [b"", b""] == [silent.recv(1), stuck.recv(1)]


def test_the_client_timeout_of_a_server_is_5_seconds() -> None:
    """docs/decisions.md promises it."""
    assert 5.0 == CLIENT_TIMEOUT


def test_more_than_256_idle_clients_are_not_kept(serve: Serve) -> None:
    """A client too many is disconnected at once, so that connections can't exhaust the file descriptors."""
    server = serve(client_timeout=LONG)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(270)]

        assert b"" == clients[-1].recv(1)


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


def test_stop_is_harmless_at_any_time(serve: Serve, contents: FakeContents) -> None:
    """Before the start, and twice."""
    WebServer(("127.0.0.1", 0), contents.pages()).stop()
    server = serve()

    server.stop()
    server.stop()
