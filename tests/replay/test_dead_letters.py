"""Dead letters, counted again."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from kcl_flowlog.counting.subnets import FlowLog
from kcl_flowlog.replay.dead_letters import holds_dead_letters
from tests.support.builders import GOOD, INVENTORY, counted, envelope, labelled, line
from tests.support.examples import examples
from tests.support.replay import dead_letter, dead_letter_file, imbalances_in, nonzero, replay

BAD = dead_letter("line", "bad")

# A file, and its log events and payloads by outcome.
FILES: dict[str, tuple[bytes, dict[str, int], dict[str, int]]] = {
    "lines": (dead_letter_file(dead_letter("line", GOOD), BAD), {"counted": 1, "malformed": 1}, {}),
    "events": (
        dead_letter_file(
            dead_letter("event", '{"message":7}'),
            dead_letter("event", "{}"),
            dead_letter("event", "not JSON"),
            dead_letter("event", f'{{"message":"{GOOD}"}}'),
        ),
        {"malformed": 3, "counted": 1},
        {},
    ),
    "payloads": (
        dead_letter_file(
            dead_letter("payload", base64.b64encode(envelope(GOOD)).decode(), "payload_damaged"),
            dead_letter("payload", base64.b64encode(b"junk").decode(), "payload_encoding"),
            dead_letter("payload", "not base64!", "payload_encoding"),
        ),
        {"counted": 1},
        {"data": 1, "malformed": 2},
    ),
    "truncated": (
        dead_letter_file(
            dead_letter("line", GOOD, truncated=True),
            dead_letter("payload", "", "payload_damaged", truncated=True),
        ),
        {"malformed": 1},
        {"malformed": 1},
    ),
    "a letter that was cut off": (dead_letter_file(BAD, BAD) + b'{"shard_id":"sh', {"malformed": 3}, {}),
    "an unknown kind or reason": (
        dead_letter_file(BAD, dead_letter("novel", "bad"), dead_letter("line", "bad", "novel", truncated=True)),
        {"malformed": 3},
        {},
    ),
    "more lines than are held at once": (dead_letter_file(*[BAD] * 10_001), {"malformed": 10_001}, {}),
}


@pytest.mark.parametrize("name", FILES)
def test_a_dead_letter_counts_as_its_content(name: str) -> None:
    """And the counts add up."""
    content, events, payloads = FILES[name]

    report = replay(content)

    assert (events, payloads) == (nonzero(report.outcomes), nonzero(report.payloads))
    assert [] == imbalances_in(report, sum(events.values()))


@pytest.mark.parametrize(
    ("head", "is_recognised"),
    [
        (dead_letter_file(BAD), True),
        (dead_letter_file(BAD)[:-9], False),
        (dead_letter_file(dead_letter("novel", "bad")), False),
        (dead_letter_file(dead_letter("line", "bad", "novel")), False),
        (b'{"message":7}\n', False),
        (b"{" * 5000, False),
        (b'{"shard_id":"\xff"}', False),
        (b" " + dead_letter_file(BAD), False),
    ],
)
def test_dead_letters_are_recognised_by_the_first_line(head: bytes, is_recognised: bool) -> None:
    """It has to be a dead letter with a known kind and reason."""
    assert is_recognised == holds_dead_letters(head)


def test_lines_of_a_log_stream_tell_together_where_their_interface_is() -> None:
    """The common address of an unlisted interface needs several lines."""
    lines = [line("10.0.1.77", f"198.51.100.{number}", "eni-deadbeef") for number in range(3)]
    inventory = msgspec.structs.replace(INVENTORY, flow_logs=(FlowLog("fl-1", "vpc-1", "group", DEFAULT_FORMAT),))

    report = replay(
        dead_letter_file(*[dead_letter("line", text, log_group="group") for text in lines]), inventory=inventory
    )

    assert {"counted": 3} == nonzero(report.outcomes)
    assert ["subnet-a"] == list(report.subnets)


def test_a_corrected_format_counts_what_was_bad() -> None:
    """That is what dead letters are kept for."""
    file = dead_letter_file(dead_letter("line", "eni-a 10.0.1.10 8.8.8.8 700", log_group="group"))

    before = replay(file)
    after = replay(file, formats=("group=${interface-id} ${srcaddr} ${dstaddr} ${bytes}",))

    assert {"malformed": 1} == nonzero(before.outcomes)
    assert [700] == [series.bytes for series in after.subnets["subnet-a"]]


_BAD = st.one_of(
    st.text(max_size=40),
    st.integers(),
    st.none(),
    st.lists(st.sampled_from([*GOOD.split(), "-", "x"]), min_size=14, max_size=14).map(" ".join),
    st.sampled_from(["bad " * 2000, '{"a":1}', "{", GOOD]),
)


@settings(deadline=None, max_examples=examples(50))
@given(st.lists(st.one_of(st.lists(_BAD, max_size=8), st.binary(max_size=60)), max_size=4))
def test_a_replay_of_dead_letters_gives_the_counts_that_they_came_from(payloads: list[list[object] | bytes]) -> None:
    """Reason by reason, whatever was bad."""
    delta, _ = counted(*[payload if isinstance(payload, bytes) else envelope(*payload) for payload in payloads])

    report = replay(dead_letter_file(*delta.dead_letters))

    assert labelled(delta, counts.MALFORMED) == report.malformed
    assert labelled(delta, counts.EVENTS).get("malformed", 0) == sum(nonzero(report.outcomes).values())
    assert {} == report.subnets
