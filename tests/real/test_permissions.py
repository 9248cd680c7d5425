"""Through the real MultiLangDaemon, without permission to list network interfaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.story import telling

pytestmark = pytest.mark.daemon


def test_without_the_list_of_interfaces_the_counts_are_the_same(tmp_path: Path) -> None:
    """Addresses are learned: overlapping VPCs, IPv6, secondary addresses and both ends of a flow change no count."""
    with telling(tmp_path, denied=("DescribeNetworkInterfaces",)) as story:
        # Put before the first start, so that a shard's first batch has records of every interface.
        story.put(3000)
        story.instance.start()
        story.verify_counts()
        story.put(3000)
        story.verify_counts()

        assert "ec2:DescribeNetworkInterfaces" in story.instance.log
        assert b'"interfaces":[]' in (story.instance.state / "inventory.json").read_bytes()
