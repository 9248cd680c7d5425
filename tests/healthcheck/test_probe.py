"""What the health check says about an instance, over the protocols that the web config turns on."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kcl_flowlog.errors import Unhealthy
from kcl_flowlog.healthcheck.probe import HEALTHY, READY, Question, ask
from tests.support.certificates import Authority
from tests.support.waiting import PATIENCE
from tests.support.web import FakeContents, Serve, Write

HASH = "$2b$04$xfBjg2YFpKPC47wJ62CvbOEl.S3cbzWWZLRMqYtNruAuDdZFIbMg2"
USERS = f"basic_auth_users: {{me: {HASH}}}\n"


def question(port: int, page: str = HEALTHY, host: str = "127.0.0.1", **more: Path) -> Question:
    return Question((host, port), page, PATIENCE, **more)


def refusal(asked: Question) -> str:
    with pytest.raises(Unhealthy) as refused:
        ask(asked)
    return str(refused.value).replace(f":{asked.address[1]}", ":PORT")


@pytest.mark.parametrize(("page", "word"), [(HEALTHY, "healthy"), (READY, "ready")])
def test_an_instance_that_is_well_is_a_word(serve: Serve, page: str, word: str) -> None:
    assert word == ask(question(serve().port, page))


@pytest.mark.parametrize("page", [HEALTHY, READY])
def test_an_instance_that_is_not_well_is_a_sentence_with_its_reasons(
    serve: Serve, contents: FakeContents, page: str
) -> None:
    contents.unhealthy, contents.not_ready = ["Stuck.", "Slow."], ["No inventory."]

    said = refusal(question(serve().port, page))

    expected = {
        HEALTHY: "The instance is not healthy: Stuck. Slow.",
        READY: "The instance is not ready: No inventory.",
    }
    assert expected[page] == said


@pytest.mark.parametrize(
    ("listens", "host"),
    [
        ("127.0.0.1", ""),
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("::1", ""),
        ("::1", "::"),
        ("::1", "::1"),
        ("", ""),
        ("::", "::"),
        ("0.0.0.0", "0.0.0.0"),
    ],
)
def test_an_address_that_means_all_addresses_is_asked_on_the_loopback(serve: Serve, listens: str, host: str) -> None:
    """As in --web.listen-address."""
    assert "healthy" == ask(question(serve(host=listens).port, host=host))


@pytest.mark.parametrize("host", ["", "127.0.0.1", "::1"])
def test_a_port_on_which_nothing_listens_is_a_sentence(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    place = "[::1]" if host == "::1" else "127.0.0.1"
    assert f"{place}:PORT does not answer (Connection refused)." == refusal(question(port, host=host))


def test_an_instance_that_is_silent_is_a_sentence() -> None:
    """It accepts the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        said = refusal(Question(("127.0.0.1", port), HEALTHY, 0.1))

    assert "127.0.0.1:PORT does not answer within 0.1 s." == said


def test_the_time_is_for_all_attempts_together() -> None:
    """A server that sends a byte now and then gives no further time."""
    moments = iter([0.0, 1.0, 5.0])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        asked = Question(("127.0.0.1", port), HEALTHY, 4.0)

        with pytest.raises(Unhealthy, match=r"does not answer within 4 s\.$"):
            ask(asked, lambda: next(moments))


def test_a_free_port_can_not_be_known() -> None:
    assert "The port of --web.listen-address is 0, so it can't be known; give it a number." == refusal(question(0))


def test_a_client_key_alone_is_a_sentence() -> None:
    """Before any request, and also if the instance needs no client certificate."""
    expected = "--client-key has no use without --client-cert; name both files."
    assert expected == refusal(question(1, client_key=Path("key")))


# The web config


@pytest.mark.parametrize(
    ("are_probes_open", "reasons", "expected"),
    [
        (False, [], "127.0.0.1:PORT asks for a user; start the instance with --web.probes-without-auth."),
        (True, [], "healthy"),
        (True, ["Shard 7 is stuck."], "The instance is not healthy: Failed"),
    ],
)
@pytest.mark.parametrize("has_tls", [False, True])
def test_an_instance_with_users_answers_by_a_word_if_its_probes_are_open(
    serve: Serve,
    contents: FakeContents,
    tls_config: Path,
    write: Write,
    has_tls: bool,
    are_probes_open: bool,
    reasons: list[str],
    expected: str,
) -> None:
    """Over HTTP and HTTPS."""
    contents.are_probes_open, contents.unhealthy = are_probes_open, reasons
    asked = question(serve(write((tls_config.read_text() if has_tls else "") + USERS)).port)

    assert expected == (ask(asked) if expected == "healthy" else refusal(asked))


def test_too_many_requests_are_a_sentence(serve: Serve, write: Write) -> None:
    server = serve(write("rate_limit: {interval: 1h, burst: 1}\n"))
    ask(question(server.port))

    expected = "127.0.0.1:PORT has had too many requests; raise rate_limit in the web config."
    assert expected == refusal(question(server.port))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"", "127.0.0.1:PORT does not answer (it closed the connection)."),
        (b"SSH-2.0-OpenSSH\r\n", "127.0.0.1:PORT does not answer (it does not speak HTTP)."),
        (
            b"HTTP/1.1 404 Not found\r\n\r\n",
            "127.0.0.1:PORT answers with status 404; check that --web.listen-address is that of the instance.",
        ),
        (b"HTTP/1.1 503 Busy\r\n\r\n", "The instance is not healthy: it gives no reason"),
    ],
)
def test_another_server_is_a_sentence(answer: bytes, sentence: str) -> None:
    """Something else listens on the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def serve() -> None:
            connected, _ = listener.accept()
            with connected:
                connected.recv(1024)
                connected.sendall(answer)

        served = pool.submit(serve)
        said = refusal(question(listener.getsockname()[1]))
        served.result()

    assert sentence == said


def mutual(write: Write, authority: Authority, own: Authority) -> Path:
    """A web config that requires certificates of `authority`; the server's is from `own`."""
    issued = own.issue("server")
    return write(
        f"tls_server_config: {{cert_file: {issued.cert}, key_file: {issued.key}, client_ca_file: {authority.cert}, "
        "client_auth_type: RequireAndVerifyClientCert}\n"
    )


@pytest.fixture
def other_authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_the_instances_own_certificate_is_shown_if_one_is_required(
    serve: Serve, write: Write, authority: Authority
) -> None:
    """It often comes from the authority of the clients."""
    file = mutual(write, authority, authority)

    assert "healthy" == ask(question(serve(file).port, web_config_file=file))


def test_a_required_certificate_is_a_sentence(
    serve: Serve, write: Write, authority: Authority, other_authority: Authority
) -> None:
    """If the instance's own does not do, the user has to name a certificate."""
    file = mutual(write, authority, other_authority)
    port = serve(file).port
    client, wrong = authority.issue("client"), other_authority.issue("wrong")

    assert refusal(question(port, web_config_file=file)) == (
        "127.0.0.1:PORT asks for a client certificate, and refuses the instance's own; "
        "name another with --client-cert and --client-key."
    )
    assert "healthy" == ask(question(port, client_cert=client.cert, client_key=client.key))
    said = refusal(question(port, client_cert=wrong.cert, client_key=wrong.key))
    assert said.startswith(f"127.0.0.1:PORT refuses {wrong.cert} as a client certificate (")
    assert refusal(question(port)).startswith("127.0.0.1:PORT ends the TLS handshake (")


@pytest.mark.parametrize(("allowed", "is_well"), [("127.0.0.1", True), ("scraper.example", False)])
@pytest.mark.parametrize("is_inline", [False, True])
def test_the_instances_own_certificate_may_be_a_text_and_needs_an_allowed_name(
    serve: Serve, write: Write, authority: Authority, is_inline: bool, allowed: str, is_well: bool
) -> None:
    """The instance ends the connection of a client without."""
    issued = authority.issue("server")
    cert, key = (
        (f"cert: {json.dumps(issued.cert.read_text())}", f"key: {json.dumps(issued.key.read_text())}")
        if is_inline
        else (f"cert_file: {issued.cert}", f"key_file: {issued.key}")
    )
    file = write(
        f"tls_server_config: {{{cert}, {key}, client_ca_file: {authority.cert}, "
        f"client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [{allowed}]}}\n"
    )
    asked = question(serve(file).port, web_config_file=file)

    if is_well:
        assert "healthy" == ask(asked)
    else:
        assert "asks for a client certificate, and refuses the instance's own" in refusal(asked)


def test_a_client_certificate_that_can_not_be_read_is_a_sentence(
    serve: Serve, tls_config: Path, authority: Authority, tmp_path: Path
) -> None:
    """The sentence names the file."""
    port = serve(tls_config).port
    missing = tmp_path / "missing"
    issued, other = authority.issue("client"), authority.issue("other")
    advice = "check it and --client-key."

    expected = f"--client-cert {missing}: No such file or directory; {advice}"
    assert expected == refusal(question(port, client_cert=missing))
    expected = f"--client-cert {issued.cert}: not a certificate and its unencrypted key in PEM form; {advice}"
    assert expected == refusal(question(port, client_cert=issued.cert, client_key=other.key))


@pytest.mark.parametrize("text", ["basic_auth_users: [", "", USERS])
def test_a_web_config_that_is_not_in_force_changes_nothing(
    serve: Serve, tls_config: Path, write: Write, text: str
) -> None:
    """A mistake in the file must not have a healthy instance restarted, which would not start with it."""
    server = serve(tls_config)

    write(text)

    assert "healthy" == ask(question(server.port, web_config_file=tls_config))
