"""Through the real MultiLangDaemon: a proxy as the only way out, and certificates of a private authority."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.support.certificates import Authority
from tests.support.scenario import new_scenario
from tests.support.way_out import HOST, USER, WayOut

pytestmark = pytest.mark.daemon

# Each would lead the daemon astray if it were read as Java reads it.
MISLEADING = {"HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1,*.flowlog.test,flowlog"}


def test_launcher_and_daemon_reach_aws_only_through_the_proxy(tmp_path: Path) -> None:
    """By HTTPS_PROXY, NO_PROXY and AWS_CA_BUNDLE alone, every record counts. A mistake in them ends the start."""
    for name in ("ours", "unknown"):
        (tmp_path / name).mkdir()
    authority, unknown = Authority(tmp_path / "ours"), Authority(tmp_path / "unknown")
    with new_scenario(tmp_path) as scenario:
        port = urlsplit(scenario.aws.environment()["AWS_ENDPOINT_URL"]).port
        assert port is not None
        with WayOut(port, authority.issue("aws", hosts=(HOST,))) as way_out:
            proxy = f"127.0.0.1:{way_out.port}"
            environ = {
                "AWS_ENDPOINT_URL": f"https://{HOST}",
                "AWS_CA_BUNDLE": str(authority.cert),
                "HTTPS_PROXY": f"http://{USER}@{proxy}",
                **MISLEADING,
                "no_proxy": MISLEADING["NO_PROXY"],
            }
            scenario.instance.use(environ)
            scenario.put(2000)
            scenario.instance.start()
            scenario.wait_for_shards()
            scenario.put(1000)

            scenario.verify_counts()

            assert {f"{HOST}:443"} == set(way_out.proxied)
            daemon = scenario.instance.daemon()
            assert daemon is not None
            assert 1 == event_loops(daemon), "A connection may be lost to two threads; see java_way_out.py."
            mistakes = {
                "port": ({"HTTPS_PROXY": f"http://{USER}@127.0.0.1:1"}, "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY."),
                "password": ({"HTTPS_PROXY": f"http://{proxy}"}, "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY."),
                "bypass": ({"no_proxy": ".flowlog.test"}, "check --region and the network."),
                "missing": ({"AWS_CA_BUNDLE": "/missing"}, "correct AWS_CA_BUNDLE."),
                "no PEM": ({"AWS_CA_BUNDLE": __file__}, "correct AWS_CA_BUNDLE."),
                "authority": ({"AWS_CA_BUNDLE": str(unknown.cert)}, "check AWS_CA_BUNDLE."),
            }
            for name, (mistake, advice) in mistakes.items():
                mistaken = scenario.another_instance(tmp_path / name)
                mistaken.use({**environ, **mistake})
                mistaken.start()

                assert 2 == mistaken.exit_code(), name
                assert mistaken.log.count("\n") == 1, mistaken.log
                assert mistaken.log.endswith(f"{advice}\n"), mistaken.log

            assert 0 == scenario.instance.stop()


def event_loops(daemon: psutil.Process) -> int:
    """Count the threads that serve the connections to AWS; Linux holds only the start of a thread's name."""
    names = []
    for comm in Path(f"/proc/{daemon.pid}/task").glob("*/comm"):
        # The thread may have ended.
        with suppress(OSError):
            names.append(comm.read_text())
    return sum(name.startswith("aws-jav") for name in names)
