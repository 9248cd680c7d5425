"""The forms of --log-deny: golden events, valid by the published schemas, whatever a record holds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kcl_flowlog.counting.fields import FIELDS
from tests.support.builders import line
from tests.support.denial_schemas import ECS, OCSF, ecs_faults, flattened, ocsf_faults
from tests.support.denials import STORIES, V5_FORMAT, Story, written
from tests.support.paths import ROOT

GOLDEN = ROOT / "tests" / "processor" / "data" / "denials.json"

# What no event of OCSF can say: there is no end of the flow that it could name.
WITHOUT_ENDS = ["network_activity has none of ['dst_endpoint', 'src_endpoint']"]


def test_each_form_writes_the_golden_events() -> None:
    """Names, order and values are a contract with the readers; REWRITE_GOLDEN=1 accepts a difference."""
    events = {
        name: {"line": story.line} | {form: json.loads(text) for form, text in written(story).items()}
        for name, story in STORIES.items()
    }
    text = json.dumps(events, indent=1) + "\n"
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.write_text(text)

    assert GOLDEN.read_text() == text


@pytest.mark.parametrize("name", STORIES)
def test_an_event_is_valid_by_its_schema(name: str) -> None:
    """Each name, type, required value and enumeration is one of the schema."""
    lines = written(STORIES[name])
    ocsf = json.loads(lines["ocsf"])

    assert [] == ecs_faults(json.loads(lines["ecs"]))
    assert (WITHOUT_ENDS if name == "hardly any field" else []) == ocsf_faults(ocsf)
    assert ECS["version"] == json.loads(lines["ecs"])["ecs"]["version"]
    assert OCSF["version"] == ocsf["metadata"]["version"]


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ({"activity_id": 8}, "network_activity.activity_id can't be 8"),
        ({"time": 1_700_000_000}, "network_activity.time can't be 1700000000"),
        ({"verdict": "no"}, "network_activity has no verdict"),
        ({"cloud": {}}, "cloud lacks provider"),
        ({"src_endpoint": {"port": 1}}, "network_endpoint has none of"),
        ({"traffic": {"bytes": "-"}}, "network_traffic.bytes can't be '-'"),
    ],
)
def test_the_schema_finds_a_fault(damage: Mapping[str, Any], fault: str) -> None:
    """Otherwise the test above would pass for anything."""
    event = json.loads(written(STORIES["tcp from the internet"])["ocsf"])

    assert fault in "".join(ocsf_faults({**event, **damage}))


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ({"source": {"ip": "-"}}, "does not appear to be"),
        ({"source": {"ip": None}}, "source.ip can't be None"),
        ({"source": {"adress": "x"}}, "source.adress is not a field"),
        ({"aws": {"vpcflow": {"type": "-"}}}, "aws.vpcflow.type is not a field"),
        ({"network": {"direction": "sideways"}}, "network.direction can't be 'sideways'"),
        ({"@timestamp": 1_700_000_000}, "@timestamp can't be 1700000000"),
    ],
)
def test_ecs_finds_a_fault(damage: Mapping[str, Any], fault: str) -> None:
    """Otherwise the test above would pass for anything."""
    event = json.loads(written(STORIES["tcp from the internet"])["ecs"])

    try:
        faults = "".join(ecs_faults({**event, **damage}))
    except ValueError as error:
        faults = str(error)
    assert fault in faults


@pytest.mark.parametrize("form", ["ecs", "ocsf"])
def test_no_word_of_a_line_is_lost(form: str) -> None:
    """A line with a different word in each field of every version, except times, which are shown in other units."""
    values = {
        "version": "5",
        "protocol": "6",
        "packets": "77",
        "bytes": "8888",
        "tcp-flags": "19",
        "traffic-path": "9",
        "srcaddr": "10.0.1.10",
        "dstaddr": "203.0.113.9",
        "pkt-srcaddr": "10.0.1.77",
        "pkt-dstaddr": "203.0.113.8",
        "srcport": "40001",
        "dstport": "444",
        "interface-id": "eni-a",
        "subnet-id": "subnet-a",
        "vpc-id": "vpc-1",
        "action": "REJECT",
        "log-status": "OK",
        "flow-direction": "egress",
        "start": "1700000000",
        "end": "1700000060",
    }
    words = {name: values.get(name, f"word-of-{name}") for name in FIELDS}
    story = Story(" ".join(words.values()), " ".join(f"${{{name}}}" for name in FIELDS))

    found = {str(each) for _, value in flattened(json.loads(written(story)[form])) for each in _listed(value)}

    own_words = {"OK": "", "REJECT": "", "egress": {"ecs": "egress", "ocsf": "2"}[form]}
    expected = {own_words.get(word, word) for name, word in words.items() if name not in ("start", "end")} - {""}
    assert set() == expected - found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_a_word_that_is_not_of_its_type_is_a_text() -> None:
    """It is not lost, and no number."""
    damaged = STORIES["version 5 behind a nat gateway"].line.replace(" 2 IPv4 ", " SYN IPv4 ")

    lines = written(Story(damaged, V5_FORMAT))

    assert "SYN" == json.loads(lines["ecs"])["aws"]["vpcflow"]["tcp_flags"]
    assert "SYN" == json.loads(lines["ocsf"])["unmapped"]["tcp_flags"]
    assert "tcp_flags" not in json.loads(lines["ocsf"])["connection_info"]


def test_an_account_that_aws_does_not_know_is_none() -> None:
    """AWS writes a word for it, which no reader should take for an account."""
    lines = written(Story(line("198.51.100.7", "10.0.1.10", action="REJECT").replace("123456789010", "unknown")))

    assert "account" not in json.loads(lines["ecs"])["cloud"]
    assert "account" not in json.loads(lines["ocsf"])["cloud"]


def test_a_denial_without_a_place_has_the_direction_of_its_record() -> None:
    """Of an interface and a subnet that nobody knows."""
    story = Story(
        "eni-0badc0de 198.51.100.7 10.99.0.1 REJECT ingress",
        "${interface-id} ${srcaddr} ${dstaddr} ${action} ${flow-direction}",
        "eni-0badc0de-all",
    )

    lines = written(story)

    assert "ingress" == json.loads(lines["ecs"])["network"]["direction"]
    assert 1 == json.loads(lines["ocsf"])["connection_info"]["direction_id"]


_NASTY = (
    '"',
    "\\",
    '\\"}',
    "\x1b[2J",
    "\x00",
    "\u202e",
    "\x7f",
    "null",
    "-",
    "NaN",
    "1e400",
    "٣",
    "\U0001f600",
    "\ud800",
)
_HOSTILE = st.one_of(st.text(min_size=1, max_size=8), st.sampled_from(_NASTY))


@example({"start": "1"})
@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(set(FIELDS) - {"action", "log-status", "srcaddr", "dstaddr"})), _HOSTILE))
def test_any_words_make_one_valid_line_of_json(words: dict[str, str]) -> None:
    """Quotes, control characters and whatever else a sender may write."""
    usual = STORIES["version 5 behind a nat gateway"].line.split()
    values = {name[2:-1]: word for name, word in zip(V5_FORMAT.split(), usual, strict=True)} | words
    names = " ".join(f"${{{name}}}" for name in values)

    lines = written(Story(" ".join("".join(word.split()) or "-" for word in values.values()), names))

    for text in lines.values():
        assert text.decode().isprintable()
        assert isinstance(json.loads(text), dict)
    # Not every such line is a record.
    if lines:
        assert [] == ecs_faults(json.loads(lines["ecs"]))
        # A sender may write any time, also the first second of 1970.
        assert [] == ocsf_faults(json.loads(lines["ocsf"]), earliest=0)
