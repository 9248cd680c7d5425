"""Through the real MultiLangDaemon, without permission to list network interfaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.scenario import new_scenario

pytestmark = pytest.mark.daemon


def test_without_the_list_of_interfaces_the_counts_are_the_same(tmp_path: Path) -> None:
    """Addresses are learned: overlapping VPCs, IPv6, secondary addresses and both ends of a flow change no count."""
    with new_scenario(tmp_path, denied=("DescribeNetworkInterfaces",)) as scenario:
        # Put before the first start, so that a shard's first batch has records of every interface.
        scenario.put(3000)
        scenario.instance.start()
        scenario.verify_counts()
        scenario.put(3000)
        scenario.verify_counts()

        assert "ec2:DescribeNetworkInterfaces" in scenario.instance.log
        assert b'"interfaces":[]' in (scenario.instance.state / "inventory.json").read_bytes()
