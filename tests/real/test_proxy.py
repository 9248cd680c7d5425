"""Through the real MultiLangDaemon: a proxy as the only way out, and certificates of a private authority."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.certificates import Authority
from tests.support.scenario import new_scenario
from tests.support.way_out import HOST, USER, WayOut

pytestmark = pytest.mark.daemon


def test_launcher_and_daemon_reach_aws_only_through_the_proxy(tmp_path: Path) -> None:
    """By HTTPS_PROXY, NO_PROXY and AWS_CA_BUNDLE alone, every record counts."""
    authority = Authority(tmp_path)
    with new_scenario(tmp_path) as scenario:
        port = urlsplit(scenario.aws.environment()["AWS_ENDPOINT_URL"]).port
        assert port is not None
        with WayOut(port, authority.issue("aws", hosts=(HOST,))) as way_out:
            scenario.instance.use(
                {
                    "AWS_ENDPOINT_URL": f"https://{HOST}",
                    "AWS_CA_BUNDLE": str(authority.cert),
                    "HTTPS_PROXY": f"http://{USER}@127.0.0.1:{way_out.port}",
                    # Each would lead the daemon astray if it were read as Java reads it.
                    "HTTP_PROXY": "http://127.0.0.1:1",
                    "NO_PROXY": "127.0.0.1,*.flowlog.test,flowlog",
                    "no_proxy": "127.0.0.1,*.flowlog.test,flowlog",
                }
            )
            scenario.put(2000)
            scenario.instance.start()
            scenario.wait_for_shards()
            scenario.put(1000)

            scenario.verify_counts()

            assert {f"{HOST}:443"} == set(way_out.proxied)
            assert 0 == scenario.instance.stop()
