"""Dead letters: how much of bad data they keep, and where they say it came from."""

from __future__ import annotations

import base64

import pytest

from kcl_flowlog.counting import dead_letter
from kcl_flowlog.counting.dead_letter import DeadLetter, from_payload, from_text
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.positions import PayloadOrigin, Position

ORIGIN = PayloadOrigin("shardId-7", Position("495", 3))
LOG_STREAM = LogStream("123456789010", "flow-logs", "eni-a-all")


def test_the_dead_letter_of_a_line_names_its_origin() -> None:
    """Shard, position, and log stream; the whole line is kept."""
    letter = from_text("a bad line", dead_letter.LINE, "field_count", ORIGIN, LOG_STREAM)

    expected = DeadLetter(
        shard_id="shardId-7",
        sequence_number="495",
        sub_sequence_number=3,
        reason="field_count",
        kind="line",
        body="a bad line",
        owner="123456789010",
        log_group="flow-logs",
        log_stream="eni-a-all",
        truncated=False,
    )
    assert expected == letter


def test_the_dead_letter_of_a_payload_holds_base64() -> None:
    """A payload that can't be read has no log stream."""
    letter = from_payload(b"\xff\x00bad", "payload_encoding", ORIGIN)

    assert DeadLetter("shardId-7", "495", 3, "payload_encoding", "payload", "/wBiYWQ=") == letter


@pytest.mark.parametrize(("size", "is_truncated"), [(4095, False), (4096, False), (4097, True)])
def test_only_the_start_of_long_data_is_kept(size: int, is_truncated: bool) -> None:
    """4,096 bytes of a payload, 4,096 characters of a text."""
    text = from_text("ä" * size, dead_letter.EVENT, "not_text", ORIGIN, LOG_STREAM)
    payload = from_payload(b"p" * size, "payload_encoding", ORIGIN)

    assert ("event", min(size, 4096), is_truncated) == (text.kind, len(text.body), text.truncated)
    assert (min(size, 4096), is_truncated) == (len(base64.b64decode(payload.body)), payload.truncated)


@pytest.mark.parametrize(("excess", "is_truncated"), [(0, False), (1, True)])
def test_a_whole_payload_is_kept_up_to_the_largest_record(excess: int, is_truncated: bool) -> None:
    """Kinesis accepts no larger record."""
    letter = from_payload(b"p" * (10 * 1024 * 1024 + excess), "payload_poison", ORIGIN, is_whole=True)

    assert 10 * 1024 * 1024 == len(base64.b64decode(letter.body))
    assert is_truncated is letter.truncated


def test_names_that_are_too_long_are_cut() -> None:
    """The sender chooses them; AWS allows at most 512 characters."""
    letter = from_text("x", dead_letter.LINE, "field_count", ORIGIN, LogStream("o" * 513, "g" * 600, "s" * 512))

    assert ("o" * 512, "g" * 512, "s" * 512) == (letter.owner, letter.log_group, letter.log_stream)
