"""Peers that answer, and those that don't: each is part of the answer, or a sentence in it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from kcl_flowlog.counting.who.heaviest import Rows, Summary
from kcl_flowlog.counting.who.kinds import KINDS, SOURCE
from kcl_flowlog.counting.who.sketches import Sketches
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.peers import own_answer as form
from kcl_flowlog.peers.client_files import ClientFiles
from kcl_flowlog.peers.fleet import MOST_PEERS, Answered, Asked, Fleet, addresses_of
from kcl_flowlog.peers.merging import Me, Merged, merge
from kcl_flowlog.peers.one_peer import PeerQuestion
from kcl_flowlog.peers.shared import KEPT_SECONDS, SharedAnswers
from kcl_flowlog.peers.threads import Threads
from kcl_flowlog.values import parse_peer
from kcl_flowlog.web.who_report import MissingPeer, SubnetLine
from tests.counting.who.truth import address, top
from tests.support.clocks import FakeClock
from tests.support.peers import SUBNET, Saying, answering, fleet, own_answer, response
from tests.support.waiting import PATIENCE

QUESTION = PeerQuestion(SUBNET, 3)
ME = Me("me", "flow-logs")


def wide(number: int, first: int = 0) -> Sketches:
    """Return a sketch with so many sources, of which later ones are heavier."""
    names = np.array([address(first + place).rjust(16, "\0") for place in range(number)], "S16")
    rows = Rows(
        np.full(number, SOURCE, np.int64),
        np.zeros(number, np.uint64),
        names,
        np.arange(number, dtype=float) + first + 1,
        np.zeros(number),
    )
    return Sketches(0, [SUBNET], Summary(rows, np.zeros(KINDS)))


@pytest.fixture
def hosts() -> dict[str, bytes | OSError | tuple[bytes, object]]:
    return {}


@pytest.fixture
def connect(hosts: Mapping[str, bytes | OSError | tuple[bytes, object]]) -> Iterator[Saying]:
    made = Saying(hosts)
    yield made
    made.close()


def merged(connect: Saying, *urls: str, timeout: float = PATIENCE, **names: list[str] | OSError) -> Merged:
    """Return what peers know together."""
    return merge(fleet(connect, *urls, names=names, timeout=timeout).ask(QUESTION), SUBNET, ME)


# Those that answer


def test_peers_are_asked_for_what_they_know_alone(connect: Saying, hosts: dict[str, bytes]) -> None:
    """Format `sketch` asks nobody: no answer comes in a circle."""
    hosts |= {"a": answering("A")}

    merged(connect, "http://a:10514/behind/")

    (request,) = connect.requests()
    assert request == (
        b"GET /behind/api/v1/who?subnet=subnet-a&window=900s&format=sketch HTTP/1.1\r\n"
        b"Host: a:10514\r\nConnection: close\r\n\r\n"
    )


def test_what_peers_know_adds_up(connect: Saying, hosts: dict[str, bytes]) -> None:
    hosts |= {"a": answering("A"), "b": answering("B")}

    found = merged(connect, "http://a:1", "http://b:1")

    assert (2, [], True, "web", "vpc-1") == (found.answered, found.missing, found.is_known, found.name, found.vpc_id)
    assert [("198.51.100.7", 2, 2)] == top(found.sketches, SOURCE)
    assert 1 == found.sketches.distinct[SOURCE].number()
    assert [SubnetLine(SUBNET, "web", "vpc-1", 1, 1)] == found.lines


def test_each_instance_counts_once_and_the_instance_itself_never(connect: Saying, hosts: dict[str, bytes]) -> None:
    """A name has all addresses of all instances, of both families; an instance may be set twice."""
    hosts |= {"10.0.0.1": answering("A"), "10.0.0.2": answering("me"), "fd00::1": answering("A"), "a": answering("A")}

    found = merged(connect, "dns+http://all:1", "http://a:1", all=["10.0.0.1", "10.0.0.2", "fd00::1"])

    assert ["10.0.0.1", "10.0.0.2", "a", "fd00::1"] == sorted(connect.connected)
    assert (1, []) == (found.answered, found.missing)
    assert [("198.51.100.7", 1, 1)] == top(found.sketches, SOURCE)


def test_a_name_is_resolved_anew_each_time(connect: Saying, hosts: dict[str, bytes]) -> None:
    """Instances come and go."""
    hosts |= {"10.0.0.1": answering("A"), "10.0.0.2": answering("B")}
    names = {"all": ["10.0.0.1"]}
    asking = fleet(connect, "dns+http://all:1", names=names)

    asking.ask(QUESTION)
    names["all"] = ["10.0.0.2"]
    asking.ask(QUESTION)

    assert ["10.0.0.1", "10.0.0.2"] == connect.connected


def test_the_system_resolves_names() -> None:
    assert ["127.0.0.1"] == addresses_of("127.0.0.1", 1)


# Those that don't

HELLO = b"HTTP/1.1 200 OK\r\n"
NO_ANSWERS: dict[str, tuple[bytes | OSError, str]] = {
    "gone": (ConnectionRefusedError(111, "Connection refused"), "did not answer (Connection refused)"),
    "unknown name": (socket.gaierror(-2, "Name or service not known"), "did not answer (Name or service not known)"),
    "late": (TimeoutError(), "did not answer within 60 s"),
    "closed": (b"", "did not answer (Remote end closed connection without response)"),
    "garbage": (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP, or was cut off (BadStatusLine)"),
    "cut off": (answering("A")[:-9], "does not answer as an instance does: Input data was truncated"),
    "no end of lines": (HELLO + b"a" * 70_000, "does not speak HTTP, or was cut off (LineTooLong)"),
    "many lines": (HELLO + b"a: b\r\n" * 200, "does not speak HTTP, or was cut off (HTTPException)"),
    "401": (response(b"", "401 No"), "asks for a user; name one with --peers-credentials"),
    "404": (response(b"", "404 No"), "has no page about who sent what; it runs with --no-who, or is another program"),
    "redirect": (response(b"", "302 There\r\nLocation: http://elsewhere"), "answers with status 302"),
    "too much": (response(bytes(form.MOST_BYTES + 70_000)), f"answers with more than {form.MOST_BYTES} bytes"),
    "length beyond numbers": (
        HELLO + b"Content-Length: 99999999999999999999999\r\n\r\n",
        "does not answer as an instance does: Input data was truncated",
    ),
    "chunk beyond numbers": (
        HELLO + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\nab",
        "does not speak HTTP, or was cut off (IncompleteRead)",
    ),
    "page": (
        response(b"<html>"),
        "does not answer as an instance does: Expected `object`, got `int`",
    ),
    "other version": (
        response(form.encode(own_answer("A", version=7))),
        "answers in version 7 of the form, not 1; run one version everywhere",
    ),
    "other fields": (
        response(form.encode(own_answer("A", subnets=3))),
        "does not answer as an instance does: Expected `array`, got `int` - at `$.subnets`",
    ),
    "no instance": (
        answering(""),
        "does not answer as an instance does: Expected `str` of length >= 1 - at `$.instance`",
    ),
    "other application": (
        answering("A", application="other"),
        "counts for the application 'other', not 'flow-logs'",
    ),
    "too many subnets": (
        answering("A", subnets=1001 * [SubnetLine("", "", "", 0, 0)]),
        "does not answer as an instance does: it lists more than 1000 subnets",
    ),
    "damaged sketch": (answering("A", sketch=b"x"), "not a sketch"),
    "sketch that swells": (
        answering("A", sketch=isal_zlib.compress(bytes(8 * 1024 * 1024 + 1))),
        "not a sketch: more than 8388608 bytes",
    ),
    "too many names": (answering("A", sketch=wide(9985)), "answers with a sketch of something else"),
    "sketch of another subnet": (
        answering("A", sketch=Sketches(0, ["subnet-b"])),
        "answers with a sketch of something else",
    ),
}


@pytest.mark.parametrize(("said", "reason"), NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_peer_without_an_answer_is_missing_with_a_reason(
    connect: Saying, hosts: dict[str, bytes | OSError], said: bytes | OSError, reason: str
) -> None:
    """And the others are there."""
    hosts |= {"bad": said, "good": answering("B")}

    found = merged(connect, "http://bad:1", "http://good:1")

    assert (1, [("198.51.100.7", 1, 1)]) == (found.answered, top(found.sketches, SOURCE))
    (missing,) = found.missing
    assert "http://bad:1" == missing.peer
    assert missing.reason.startswith(reason)


@pytest.mark.parametrize("said", [b"", HELLO, answering("A")[:-1]], ids=["silent", "slow", "almost done"])
def test_nobody_waits_for_a_peer_longer_than_the_timeout(
    connect: Saying, hosts: dict[str, object], said: bytes
) -> None:
    """Whatever it has said before it hangs."""
    hosts |= {"bad": (said, ...), "good": answering("B")}

    found = merged(connect, "http://bad:1", "http://good:1", timeout=0.2)

    assert 1 == found.answered
    (missing,) = found.missing
    assert "did not answer within 0.2 s" == missing.reason


@pytest.mark.parametrize(
    ("resolved", "reason"),
    [
        (socket.gaierror(-2, "Name or service not known"), "has no address (Name or service not known)"),
        (TimeoutError("timed out"), "has no address (timed out)"),
    ],
)
def test_a_name_without_an_address_is_missing(connect: Saying, resolved: OSError, reason: str) -> None:
    assert [MissingPeer("http://all:1", reason)] == merged(connect, "dns+http://all:1", all=resolved).missing


def test_a_name_service_that_hangs_leaves_time_for_the_other_peers(connect: Saying, hosts: dict[str, bytes]) -> None:
    """A name that it can't tell is missing."""
    hosts |= {"good": answering("B")}
    end = threading.Event()
    peers = tuple(map(parse_peer, ("dns+http://all:1", "http://good:1")))

    def resolve(_host: str, _port: int) -> list[str]:
        end.wait()
        return []

    found = Fleet(peers, ClientFiles(), 2.0, resolve, connect).ask(QUESTION)
    end.set()

    assert ["http://good:1"] == [answered.peer for answered in found.answers]
    assert [MissingPeer("http://all:1", "did not answer within 2 s")] == found.missing


def test_only_so_many_peers_are_asked(connect: Saying, hosts: dict[str, bytes]) -> None:
    """The first of the others is named, with their number."""
    many = [f"10.0.1.{number}" for number in range(MOST_PEERS + 3)]
    hosts |= {host: answering(host) for host in many}

    found = merged(connect, "dns+http://all:1", all=many)

    assert MOST_PEERS == found.answered == len(connect.connected)
    assert [MissingPeer("http://10.0.1.64:1", "was not asked, nor 2 more: at most 64 are")] == found.missing


def test_threads_that_hang_are_not_joined_by_others() -> None:
    """Nor are there ever more than so many, however often they are needed."""
    threads, end = Threads(2), threading.Event()

    first = threads.each(lambda _: end.wait(), [1, 2, 3], 0.01)
    second = threads.each(lambda _: end.wait(), [4], 0.01)

    assert [(1, None), (2, None), (3, None)] == first
    assert [(4, None)] == second
    end.set()


def test_an_error_that_nobody_expects_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        Threads(1).each(lambda number: 1 // number, [0], PATIENCE)


@given(st.binary(max_size=200), st.booleans())
def test_no_answer_whatever_is_an_error(data: bytes, is_http: bool) -> None:
    connect = Saying({"a": response(data) if is_http else data})

    found = merge(fleet(connect, "http://a:1").ask(QUESTION), SUBNET, ME)
    connect.close()

    assert [0, 1] == [found.answered, len(found.missing)]


# How they trust each other


def test_a_user_comes_from_a_file(connect: Saying, hosts: dict[str, bytes], tmp_path: Path) -> None:
    """Which may change while the instance runs."""
    hosts |= {"a": answering("A")}
    file = tmp_path / "user"
    asking = fleet(connect, "http://a:1", files=ClientFiles(credentials=file))
    for text in ("me:secret", "me:other\n"):
        file.write_text(text)
        asking.ask(QUESTION)

    assert [b"Basic bWU6c2VjcmV0", b"Basic bWU6b3RoZXI="] == [
        request.split(b"Authorization: ")[1].split(b"\r\n")[0] for request in connect.requests()
    ]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (ClientFiles(credentials=Path("{}/missing")), "--peers-credentials {}/missing can't be read: No such file"),
        (ClientFiles(credentials=Path("{}/text")), "--peers-credentials {}/text is not one line of the form user:pass"),
        (ClientFiles(ca=Path("{}/text")), "--peers-ca {}/text: not certificates in PEM form; check it."),
        (ClientFiles(cert=Path("{}/missing")), "--peers-client-cert {}/missing: No such file or directory; check it"),
        (ClientFiles(key=Path("{}/text")), "--peers-client-key has no use without --peers-client-cert; name both"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(
    connect: Saying, tmp_path: Path, files: ClientFiles, sentence: str
) -> None:
    """At the start, and later beside each peer. It never quotes the file."""
    (tmp_path / "text").write_text("secret")
    files = ClientFiles(*(path and Path(str(path).format(tmp_path)) for path in files))
    asking = fleet(connect, "https://a:1", files=files)

    with pytest.raises(ConfigError) as refused:
        asking.check()

    assert str(refused.value).startswith(sentence.format(tmp_path))
    assert "secret" not in str(refused.value)
    assert [MissingPeer("https://a:1", f"was not asked: {refused.value}".rstrip("."))] == list(
        asking.ask(QUESTION).missing
    )


def test_a_certificate_that_is_not_trusted_is_a_sentence(connect: Saying, hosts: dict[str, OSError]) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed certificate"
    hosts |= {"a": error}

    (missing,) = merged(connect, "https://a:1").missing

    assert "has a certificate that is not trusted (self-signed certificate); see --peers-ca" == missing.reason


# Merging, and sharing


def test_the_lightest_of_very_many_names_are_left_out() -> None:
    """Four peers fill the room; the heaviest that is left out is what other names may have had."""
    answers = [Answered(name, own_answer(name, wide(9984, 9984 * place))) for place, name in enumerate("abcde")]

    rows, unseen = merge(Asked(answers, []), SUBNET, ME).sketches.summary

    assert 29_952 < len(rows.names) <= 39_936
    assert unseen[SOURCE] + 1 == min(rows.seen)


def test_without_an_application_the_first_answer_decides() -> None:
    """As for the command, which belongs to no application."""
    answers = [
        Answered(name, own_answer(name, application=application))
        for name, application in (("a", "x"), ("b", "y"), ("c", "x"))
    ]

    found = merge(Asked(answers, []), SUBNET, Me())

    assert (2, ["b"]) == (found.answered, [missing.peer for missing in found.missing])


def test_lists_of_subnets_show_the_most_of_each() -> None:
    """Sources that several instances have seen can't be recognised, so sums would be wrong."""
    lines = {
        "a": [SubnetLine("s1", "", "", 5, 1), SubnetLine("s2", "", "", 9, 9)],
        "b": [SubnetLine("s1", "x", "v", 3, 2)],
    }
    answers = [Answered(name, own_answer(name, subnets=some)) for name, some in lines.items()]

    found = merge(Asked(answers, []), "", ME)

    assert [SubnetLine("s2", "", "", 9, 9), SubnetLine("s1", "x", "v", 5, 2)] == found.lines


def test_an_answer_is_shared_for_a_moment() -> None:
    """However many ask; another question is another answer, and few are kept."""
    asked: list[PeerQuestion] = []
    clock = FakeClock(0.0)

    def ask(question: PeerQuestion) -> Merged:
        asked.append(question)
        return Merged()

    shared = SharedAnswers(ask, clock)
    first = [shared.ask(PeerQuestion("a", 1)) for _ in range(5)]
    shared.ask(PeerQuestion("b", 1))
    assert [PeerQuestion("a", 1), PeerQuestion("b", 1)] == asked
    assert all(each is first[0] for each in first)

    clock.now += KEPT_SECONDS
    assert shared.ask(PeerQuestion("a", 1)) is not first[0]
    for number in range(20):
        shared.ask(PeerQuestion(str(number), 1))
    assert 23 == len(asked)
    assert 8 == len(shared._kept)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://a", ("a", 80, "", False, False)),
        ("https://a.b/x/", ("a.b", 443, "/x", True, False)),
        ("http://[fd00::1]:10514", ("fd00::1", 10514, "", False, False)),
        ("dns+http://kcl-flowlog:10514", ("kcl-flowlog", 10514, "", False, True)),
        ("dns+https://a:1/", ("a", 1, "", True, True)),
    ],
)
def test_a_url_of_a_peer_is_parsed(text: str, shown: tuple[str, int, str, bool, bool]) -> None:
    assert shown == parse_peer(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a:10514", "ftp://a", "dns+ftp://a", "+http://a", "http://", "http://a:x", "http://a:99999"),
        *("http://a:0", "http://[a", "http://a/?q", "http://a/#f", "http://a b", "http://\u00e4", "http://a\r\nX: y"),
    ],
)
def test_what_is_no_url_of_a_peer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a URL such as http://host:10514 or dns\\+http://host:10514"):
        parse_peer(text)


@pytest.mark.parametrize(
    "text",
    ["http://me:secret@a:1", "http://me:secret@a:x", "http://me:/secret@a:1", "http://[me:secret@a", "me:secret@a:1"],
)
def test_a_url_with_a_password_is_refused_and_not_quoted(text: str) -> None:
    """Also if it is no URL for another reason, such as a password with a slash."""
    with pytest.raises(ValueError, match="a URL with a user would show the password") as refused:
        parse_peer(text)

    assert "secret" not in str(refused.value)
