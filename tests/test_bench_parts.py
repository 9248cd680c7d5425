"""benchmarks/parts.py: which part of the counting path a stack belongs to, and the picture of the shares."""

from __future__ import annotations

from xml.etree import ElementTree

import parts
import pytest

from tests.support.paths import ROOT

COUNTING = ROOT / "kcl_flowlog/counting"


@pytest.mark.parametrize(
    ("expected", "places"),
    [
        ("gunzip", ["unpacking:_inflate", "unpacking:unpack", "payload:add"]),
        ("lines in the JSON", ["columns/text:words", "columns/json_lines:find_lines", "unread_envelopes:take"]),
        ("numbers, words", ["columns/text:words", "columns/block:_number"]),
        ("interface, direction", ["columns/text:words", "columns/block:_find_interfaces"]),
        ("who sent what", ["columns/text:tails", "columns/who:collect", "columns/counter:_add"]),
        ("who sent what", ["who/heaviest:merge", "who/collector:take"]),
        (parts.OTHER, []),
    ],
)
def test_a_helper_counts_for_its_caller(expected: str, places: list[str]) -> None:
    assert expected == parts.part_of(places)


def test_each_module_of_a_part_exists() -> None:
    modules = [name.partition(":")[0] for names in parts.PARTS.values() for name in names]

    assert [] == [name for name in modules if not (COUNTING / f"{name}.py").exists()]


def test_the_picture_shows_each_share_and_leaves_out_what_is_hardly_there() -> None:
    picture = parts.draw({"small": {"a": 0.5, "b & c": 0.5, "d": 0.001}, "large": {"a": 0.25, "b & c": 0.75, "d": 0.0}})
    texts = [each.text for each in ElementTree.fromstring(picture).iter() if each.tag.endswith("text")]

    assert ["small", "large", "a", "50%", "25%", "b & c", "50%", "75%"] == texts
