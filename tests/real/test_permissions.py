"""Through the real MultiLangDaemon without permission to list interfaces: own addresses are learned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.story import telling

pytestmark = pytest.mark.daemon


def test_without_the_list_of_interfaces_the_figures_are_the_same(tmp_path: Path) -> None:
    """Two VPCs with the same addresses, IPv6, secondary addresses, conversations at both ends: no figure changes."""
    with telling(tmp_path, denied=("DescribeNetworkInterfaces",)) as story:
        # Before the first start, so that a shard's first batch has records of every interface.
        story.put(3000)
        story.instance.start()
        story.counts_all()
        story.put(3000)
        story.counts_all()

        assert "Not permitted: ec2:DescribeNetworkInterfaces" in story.instance.log
        assert b'"interfaces":[]' in (story.instance.state / "inventory.json").read_bytes()
