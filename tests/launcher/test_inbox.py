"""The launcher's end of the messages, over real sockets."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import pytest

from kcl_flowlog.commits.claims import Care, Permit
from kcl_flowlog.commits.messages import LATER, ClaimNote, Denials, Farewell, Heartbeat, Hello, Log, UnknownInterfaces
from kcl_flowlog.launcher.inbox import HeldShard, Inbox
from tests.support.clocks import FakeClock
from tests.support.connection import Connection
from tests.support.log_records import fields
from tests.support.waiting import eventually

HELLO = Hello("shardId-0", 10, "token", "5", 0)
HEARTBEAT = Heartbeat(at=50.0, lag=4.5, last_record_at=48.0, last_checkpoint_at=45.0)
DENIALS = Denials([msgspec.Raw(b'{"a":1}'), msgspec.Raw(b'{"b":2}')])


class Post:
    """An inbox with the other parts of a launcher, which only note what they get."""

    def __init__(self, path: Path, denials: BinaryIO | None = None) -> None:
        self.path = path
        self.written = io.BytesIO()
        self.permit: Permit | None = Permit(frozenset())
        self.registered: list[Hello] = []
        self.notes: list[ClaimNote] = []
        self.note_answer: list[str] | None = []
        self.unknown_interfaces: list[str] = []
        self.wall_clock = FakeClock(40.0)
        self.monotonic = FakeClock(1.0)
        self.inbox = Inbox(
            path,
            denials or self.written,
            self._register,
            self._note_unknown,
            self.wall_clock,
            self.monotonic,
            write_note=self._write_note,
        )

    def _register(self, hello: Hello) -> Permit | None:
        self.registered.append(hello)
        return self.permit

    def _write_note(self, note: ClaimNote) -> list[str] | None:
        self.notes.append(note)
        return self.note_answer

    def _note_unknown(self, interface_ids: list[str]) -> None:
        self.unknown_interfaces += interface_ids


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path / "messages.sock")
    made.inbox.start()
    yield made
    made.inbox.stop()


@pytest.fixture
def connect(post: Post) -> Iterator[Callable[[], Connection]]:
    with contextlib.ExitStack() as stack:

        def connected() -> Connection:
            made = Connection(post.path)
            stack.callback(made.hang_up)
            return made

        yield connected


Connect = Callable[[], Connection]


def test_only_processes_of_this_user_may_connect(post: Post) -> None:
    """Whoever can connect can write denials, and claim shards."""
    assert 0o600 == stat.S_IMODE(post.path.stat().st_mode)


def test_files_made_later_get_their_usual_permissions(tmp_path: Path) -> None:
    """The mask for the socket is for the socket only, even if listening fails."""
    before = os.umask(0o022)
    try:
        with pytest.raises(OSError, match="No such file"):
            Inbox(
                tmp_path / "missing" / "messages.sock",
                io.BytesIO(),
                lambda _: None,
                lambda _: None,
                write_note=lambda _: None,
            ).start()
        masks = [os.umask(0o022)]
        inbox = Inbox(
            tmp_path / "messages.sock", io.BytesIO(), lambda _: None, lambda _: None, write_note=lambda _: None
        )
        inbox.start()
        inbox.stop()
        masks.append(os.umask(0o022))
    finally:
        os.umask(before)

    assert [0o022, 0o022] == masks


def test_nothing_happens_before_the_start(tmp_path: Path) -> None:
    """An inbox that never started can be stopped."""
    post = Post(tmp_path / "messages.sock")
    post.inbox.stop()

    assert not post.path.exists()


def test_the_socket_of_a_launcher_that_was_killed_is_replaced(tmp_path: Path) -> None:
    """Its file is still there."""
    path = tmp_path / "messages.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    post = Post(path)

    post.inbox.start()
    connection = Connection(path)
    answer = connection.ask(HELLO)
    connection.hang_up()
    post.inbox.stop()

    assert (b"ok NORMAL\n", False) == (answer, path.exists())


def test_a_claim_is_registered_and_its_shard_held(post: Post, connect: Connect) -> None:
    """The answer says how carefully to go on, and lists the records to pass over, in a fixed order."""
    post.permit = Permit(frozenset({"b", "a"}), Care.SINGLE)

    answer = connect().ask(HELLO)

    assert (b"ok SINGLE a b\n", [HELLO]) == (answer, post.registered)
    assert [HeldShard("shardId-0", 10, claimed_at=40.0, heard_at=1.0)] == post.inbox.shards()


def test_a_claim_that_is_refused_is_answered_with_no(post: Post, connect: Connect) -> None:
    """The processor ends then."""
    post.permit = None

    assert b"no\n" == connect().ask(HELLO)


@pytest.mark.parametrize(("words", "answer"), [([], b"ok\n"), ([LATER], b"ok later\n"), (None, b"no\n")])
def test_a_note_is_answered(post: Post, connect: Connect, words: list[str] | None, answer: bytes) -> None:
    """Written, not now, or never."""
    post.note_answer = words
    note = ClaimNote("shardId-0", "token", "2", "record")

    assert (answer, [note]) == (connect().ask(note), post.notes)


def test_a_heartbeat_is_a_sign_of_life(post: Post, connect: Connect) -> None:
    """Before the first heartbeat, the claim counts as the last callback."""
    connection = connect()
    connection.ask(HELLO)
    at_first = post.inbox.shards()[0].last_callback_at

    post.monotonic.now = 7.0
    connection.tell(HEARTBEAT)
    # Answered after the heartbeat has been handled.
    connection.ask(DENIALS)

    shard = post.inbox.shards()[0]
    assert (40.0, 50.0, 7.0, HEARTBEAT) == (at_first, shard.last_callback_at, shard.heard_at, shard.heartbeat)


def test_a_heartbeat_without_a_claim_is_nothing(post: Post, connect: Connect) -> None:
    """It holds no shard."""
    connection = connect()
    connection.tell(HEARTBEAT)
    connection.ask(DENIALS)

    assert [] == post.inbox.shards()


def test_shards_are_listed_by_name(post: Post, connect: Connect) -> None:
    """In whatever order they came."""
    for shard_id in ("shardId-2", "shardId-0", "shardId-1"):
        connect().ask(Hello(shard_id, 10, "token", "5", 0))

    assert ["shardId-0", "shardId-1", "shardId-2"] == [shard.shard_id for shard in post.inbox.shards()]


def test_a_processor_that_says_farewell_has_not_died(post: Post, connect: Connect) -> None:
    """Its shard is free."""
    connection = connect()
    connection.ask(HELLO)
    connection.tell(Farewell())
    connection.ask(DENIALS)
    is_free = post.inbox.shards() == []
    connection.hang_up()
    assert eventually(are_all_served)

    assert (True, 0) == (is_free, post.inbox.deaths)


def test_a_processor_that_hangs_up_without_a_farewell_has_died(post: Post, connect: Connect) -> None:
    """Its shard is free, and the death counts."""
    connection = connect()
    connection.ask(HELLO)
    connection.hang_up()

    assert eventually(lambda: (post.inbox.deaths, post.inbox.shards()) == (1, []))


def test_the_end_of_a_daemon_is_no_death(post: Post, connect: Connect) -> None:
    """Deaths under the last daemon are forgotten with their processors, and their hanging up comes too late."""
    first, second = connect(), connect()
    first.ask(HELLO)
    second.ask(HELLO)
    first.hang_up()
    assert eventually(lambda: post.inbox.deaths == 1)

    post.inbox.forget()
    forgotten = (post.inbox.deaths, post.inbox.shards())
    second.hang_up()
    assert eventually(are_all_served)

    assert ((0, []), 0) == (forgotten, post.inbox.deaths)


def test_denials_are_written_before_they_are_acknowledged(post: Post, connect: Connect) -> None:
    """One line each."""
    answer = connect().ask(DENIALS)

    assert (b"ok\n", b'{"a":1}\n{"b":2}\n') == (answer, post.written.getvalue())
    assert (False, None) == (post.inbox.is_writing_denials, post.inbox.denials_error)


class BrokenOutput(io.BytesIO):
    """An output that nobody reads any more."""

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def test_denials_that_cannot_be_written_are_not_acknowledged(tmp_path: Path) -> None:
    """The launcher finds the reason in `denials_error`; other messages are answered as before."""
    post = Post(tmp_path / "messages.sock", cast(BinaryIO, BrokenOutput()))
    post.permit = Permit(frozenset({"mark"}))
    post.inbox.start()
    connection = Connection(post.path)

    connection.tell(DENIALS)
    next_answer = connection.ask(HELLO)

    assert b"ok NORMAL mark\n" == next_answer
    assert isinstance(post.inbox.denials_error, BrokenPipeError)
    assert not post.inbox.is_writing_denials
    connection.hang_up()
    post.inbox.stop()


class SlowOutput(io.BytesIO):
    """An output whose reader looks at the inbox."""

    def __init__(self) -> None:
        super().__init__()
        self.inbox: Inbox | None = None
        self.seen: list[bool] = []

    def flush(self) -> None:
        if self.inbox is not None:
            self.seen.append(self.inbox.is_writing_denials)


def test_the_inbox_tells_that_it_is_writing_denials(tmp_path: Path) -> None:
    """So that their processors don't count as hanging."""
    output = SlowOutput()
    post = Post(tmp_path / "messages.sock", cast(BinaryIO, output))
    output.inbox = post.inbox
    post.inbox.start()
    connection = Connection(post.path)

    connection.ask(DENIALS)

    assert ([True], False) == (output.seen, post.inbox.is_writing_denials)
    connection.hang_up()
    post.inbox.stop()


def test_the_log_of_a_processor_becomes_the_launchers(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """With its level and its fields."""
    connection = connect()
    connection.tell(Log("warning", "Record skipped", {"shard_id": "shardId-0"}))
    connection.ask(DENIALS)

    (record,) = caplog.records
    assert ("kcl_flowlog.processor", "WARNING", "Record skipped", {"shard_id": "shardId-0"}) == (
        record.name,
        record.levelname,
        record.getMessage(),
        fields(record),
    )


def test_an_unknown_interface_is_passed_on(post: Post, connect: Connect) -> None:
    """With its id."""
    connection = connect()
    connection.tell(UnknownInterfaces(["eni-1", "eni-2"]))
    connection.ask(DENIALS)

    assert ["eni-1", "eni-2"] == post.unknown_interfaces


def test_an_invalid_message_ends_its_connection_only(
    post: Post, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a defect, so the log has it as an error; the other processors go on."""
    faulty, other = connect(), connect()
    faulty.send(b'{"type":"greeting"}\n')

    assert b"" == faulty.answer()
    assert b"ok NORMAL\n" == other.ask(HELLO)
    assert ["ERROR"] == [record.levelname for record in caplog.records]


def test_a_processor_that_hangs_up_while_it_is_answered_is_no_error(
    post: Post, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have been killed; its death counts."""
    connection = connect()
    for _ in range(100):
        connection.tell(HELLO)
    connection.hang_up()

    assert eventually(lambda: post.inbox.deaths == 1)
    assert [] == caplog.records


def are_all_served() -> bool:
    """Say whether the inbox has seen the end of all connections."""
    return not any("process_request_thread" in thread.name for thread in threading.enumerate())
