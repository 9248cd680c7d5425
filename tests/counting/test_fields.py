"""The fields of VPC flow logs."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.fields import nearest_field


@pytest.mark.parametrize(("name", "expected"), [("scraddr", "srcaddr"), ("bites", "bytes"), ("zz", "az-id")])
def test_the_nearest_field(name: str, expected: str) -> None:
    """Whatever the name, there is a suggestion."""
    assert expected == nearest_field(name)
