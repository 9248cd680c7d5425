"""A whole instance in this process: everything is real but AWS and Java."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from kcl_flowlog import __version__
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Hello, UnknownInterfaces
from kcl_flowlog.commits.processor_settings import PROCESSOR_KEY_VARIABLE
from kcl_flowlog.counting.delta import Snapshot, Traffic
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import ConfigError, FlowlogError
from kcl_flowlog.launcher import instance, leftovers
from kcl_flowlog.launcher.beats import Beats
from kcl_flowlog.launcher.signals import StopRequests
from kcl_flowlog.launcher.start_record import StartRecord
from kcl_flowlog.launcher.state_directory import StateDirectory
from kcl_flowlog.values import parse_peer
from tests.support.connection import Connection
from tests.support.host import Host, make_host
from tests.support.log_records import fields
from tests.support.waiting import PATIENCE, eventually


@pytest.fixture
def host(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Host:
    return make_host(tmp_path, caplog, monkeypatch)


def environ_of(process: psutil.Process) -> dict[str, str]:
    """Return the environment of a process, empty if it has ended."""
    try:
        return process.environ()
    except psutil.Error:
        return {}


def test_the_first_log_line_names_the_run(host: Host) -> None:
    """Version, stream, application, worker id, region, Java, KCL and address, each as a field."""
    host.run_until(host.is_ready, application="app")

    worker_id = (host.state_dir / "worker-id").read_text().strip()
    assert {
        "version": __version__,
        "stream": "flow-logs",
        "application": "app",
        "worker_id": worker_id,
        "region": "eu-west-1",
        "java": "21.0.1",
        "kcl": "3.1.3-kcl",
    } == {name: value for name, value in host.identity.items() if name != "metrics"}


def test_a_normal_day_is_a_few_lines_without_a_warning(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """From the first start on an empty directory to the stop."""
    host.run_until(host.is_ready)

    assert {"INFO"} == {record.levelname for record in caplog.records}
    assert len(caplog.records) < 10


def test_the_daemon_has_the_key_of_the_state_directory(host: Host) -> None:
    """Its processors inherit it, and a later launcher knows them by it, not by paths or commands."""

    found: set[str] = set()

    def has_key() -> bool:
        environments = map(environ_of, psutil.Process().children(recursive=True))
        found.update(key for environ in environments if (key := environ.get(PROCESSOR_KEY_VARIABLE)) is not None)
        return bool(found)

    host.run_until(has_key)

    assert {(host.state_dir / "processor-key").read_text().strip()} == found


def test_the_pages_show_the_instance(host: Host) -> None:
    """Its daemon, its subnets and its versions, under the path that the user chose."""
    pages: list[str] = []

    def has_page() -> bool:
        if host.is_ready():
            pages.extend(host.page(path)[1] for path in ("/counts", "/"))
        return bool(pages)

    host.run_until(has_page, web_telemetry_path="/counts")

    assert "flowlog_daemon_up 1.0" in pages[0]
    assert 'subnet_id="subnet-a"' in pages[0]
    assert 'kcl="3.1.3-kcl"' in pages[0]
    assert "flowlog_daemon_process_" in pages[0]
    assert "<code>--web.telemetry-path</code></dt><dd>/counts</dd>" in pages[1]
    assert '<a href="counts">Metrics</a>' in pages[1]


def test_the_pages_about_who_name_the_peers_that_are_missing(host: Host) -> None:
    """What --peers says is what the instance asks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answers: list[tuple[int, str]] = []

    def has_answered() -> bool:
        answers.append(host.page("/api/v1/who"))
        return answers[-1][0] == 200

    host.run_until(has_answered, peers=(parse_peer(f"http://127.0.0.1:{port}"),))

    missing = [{"peer": f"http://127.0.0.1:{port}", "reason": "did not answer (Connection refused)"}]
    assert {"subnets": [], "peers": {"answered": 0, "missing": missing}} == json.loads(answers[-1][1])


def test_a_stop_leaves_nothing_running(host: Host) -> None:
    """No thread, no socket, no lock on the directory; the leader's lock is released at the start and at the end."""
    before = set(threading.enumerate())

    host.run_until(host.is_ready)

    assert eventually(lambda: set(threading.enumerate()) <= before)
    assert not (host.state_dir / "messages.sock").exists()
    with StateDirectory(host.state_dir):
        pass
    assert ["kcl-flowlog-CoordinatorState"] * 2 == host.aws.dynamodb.released_in


def test_the_users_names_of_the_tables_are_used(host: Host) -> None:
    """The KCL uses them, too."""
    host.run_until(host.is_ready, kcl_property={"coordinatorStateTableName": "coordinators"})

    assert {"coordinators"} == set(host.aws.dynamodb.released_in)


def test_a_stop_in_order_deletes_the_start_record_and_keeps_that_of_the_application(host: Host) -> None:
    """The next start need not wait for signs of life, and begins where this did."""
    worker_keys: list[str] = []

    def is_ready() -> bool:
        worker_keys[:] = [key for _, key in host.aws.dynamodb.items if key.startswith("flowlog-instance/")]
        return host.is_ready()

    host.run_until(is_ready, initial_position="trim-horizon")

    assert [f"flowlog-instance/{host.identity['worker_id']}"] == worker_keys
    assert ["flowlog-application"] == [key for _, key in host.aws.dynamodb.items]
    assert "initialPositionInStream = TRIM_HORIZON" in (host.state_dir / "kcl.properties").read_text()


def test_a_start_that_was_taken_over_ends_the_instance(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another instance has its worker id: the sentence is about the state directory."""
    monkeypatch.setattr(instance, "Beats", partial(Beats, interval=0.01))
    monkeypatch.setattr(StartRecord, "beat", lambda _: False)

    with pytest.raises(FlowlogError, match="give each instance its own --state-dir"):
        host.run()


def test_an_initial_position_that_comes_too_late_is_a_warning(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The application has begun elsewhere, and goes on from there."""
    host.run_until(host.is_ready, initial_position=datetime.fromtimestamp(1_700_000_000, timezone.utc))
    host.stop = StopRequests()
    caplog.clear()

    host.run_until(host.is_ready, initial_position="trim-horizon")

    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    expected = {"application": "kcl-flowlog", "began": "1700000000"}
    assert [expected] == [fields(record) for record in warnings]
    assert "initialPositionInStreamExtended = 1700000000" in (host.state_dir / "kcl.properties").read_text()


def test_a_stop_that_was_requested_early_starts_nothing(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Not even AWS is called; the end is orderly all the same."""
    host.stop.note(15)

    host.run()

    assert ([], ["Stopped before the start"]) == (host.aws.checked, caplog.messages)


def test_a_mistake_of_the_user_is_found_before_anything_is_logged(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The sentence stands alone on stderr."""
    with pytest.raises(ConfigError, match="no such stream"):
        host.run(stream="missing")

    assert [] == caplog.records


@pytest.mark.parametrize("setting", ["web_config_file", "peers_ca", "peers_credentials"])
def test_a_file_that_a_setting_names_is_read_before_aws(
    setting: str, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """As any mistake in the settings it is found where AWS can't be reached, and leaves nothing behind."""
    settings: dict[str, Any] = {"peers": (parse_peer("https://a:1"),), setting: Path("/missing.pem")}

    with pytest.raises(ConfigError, match=r"/missing\.pem"):
        host.run(**settings)

    assert ([], [], False) == (host.aws.checked, caplog.records, host.state_dir.exists())


def test_an_unknown_field_of_a_format_is_a_warning(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """With the nearest known name, after the line that names the run."""
    host.run_until(host.is_ready, flow_log_format=("${version} ${moon-phase}",))

    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [{"field": "moon-phase", "nearest": "sublocation-type"}] == [fields(record) for record in warnings]
    assert "version" in host.identity


def test_an_instance_is_healthy_before_it_is_ready(host: Host, tmp_path: Path) -> None:
    """While the daemon initialises, nothing is wrong. With --web.probes-without-auth, both need no user."""
    web_config = tmp_path / "web.yml"
    web_config.write_text(f"basic_auth_users: {{me: $2b$04${'a' * 53}}}\n")
    host.set_up_java(is_ready=False)
    pages: list[tuple[tuple[int, str], ...]] = []

    def has_pages() -> bool:
        pages.append(tuple(host.page(path) for path in ("/-/healthy", "/-/ready", "/metrics")))
        return len(host.aws.dynamodb.released_in) == 1 and pages[-1][0][0] != 0

    host.run_until(has_pages, web_config_file=web_config, web_probes_without_auth=True)

    assert ((200, "OK\n"), (503, "Failed\n"), (401, "Unauthorized\n")) == pages[-1]


def test_a_daemon_whose_last_processor_died_is_replaced(host: Host) -> None:
    """It would only wait for the end of its grace."""

    def hang_up() -> bool:
        if not host.is_ready():
            return False
        processor = Connection(host.state_dir / "messages.sock")
        processor.ask(Hello("shardId-0", 10, "token", "5", 0))
        processor.hang_up()
        return eventually(
            lambda: 'flowlog_daemon_restarts_total{reason="processor_died"} 1.0' in host.page("/metrics")[1]
        )

    host.run_until(hang_up)


def test_an_unknown_interface_is_looked_up(host: Host) -> None:
    """Alone, and long before the inventory's interval is over."""

    def mention() -> bool:
        if not host.is_ready():
            return False
        processor = Connection(host.state_dir / "messages.sock")
        processor.tell(UnknownInterfaces(["eni-0000000a"]))
        processor.hang_up()
        return eventually(lambda: "flowlog_inventory_interfaces 1.0" in host.page("/metrics")[1])

    host.run_until(mention)

    assert [["eni-0000000a"]] == host.aws.ec2_client.looked_up


def test_an_old_copy_of_the_ledger_is_set_aside_before_the_start(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The lease table has a claim of this ledger that the copy does not know."""
    host.state_dir.mkdir()
    with Ledger(host.state_dir / "ledger.sqlite3") as ledger:
        token = ledger.claim("shardId-0", ledger.begin_generation()).token
        ledger.note_shown(7)
    host.aws.dynamodb.claimed_rows = [
        {
            "leaseKey": {"S": "shardId-0"},
            "leaseCounter": {"N": "1"},
            "checkpoint": {"S": "5"},
            "checkpointSubSequenceNumber": {"N": "0"},
            "flowlogClaims": {"S": f"{token}later@f7728505c7af"},
        }
    ]

    host.run_until(lambda: "kcl-flowlog started" in host.messages)

    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "The ledger is an old copy: the lease table knows later commits of it; all totals start again at 0"
    ]
    with Ledger(host.state_dir / "ledger.sqlite3") as ledger:
        assert 0 == ledger.shown()


def test_a_series_that_an_earlier_run_has_shown_shows_its_value_at_once(host: Host) -> None:
    """A series that no run has shown shows 0 at first."""
    host.state_dir.mkdir()
    with Ledger(host.state_dir / "ledger.sqlite3") as ledger:
        for number, peer in enumerate(("internet", "private"), start=1):
            series = Traffic("subnet-a", "egress", "accept", "tcp", peer)
            claim = ledger.claim("shardId-0", ledger.begin_generation())
            ledger.prepare(claim, Position(str(number)), Snapshot(traffic=[(series, (7, 7, 7))]))
            ledger.fold(claim)
        ledger.note_shown(1)
    pages: list[str] = []

    def has_page() -> bool:
        if host.is_ready():
            pages.append(host.page("/metrics")[1])
        return bool(pages)

    host.run_until(has_page)

    flows = [line for line in pages[0].splitlines() if line.startswith("flowlog_flows_total{")]
    assert {"internet": "7.0", "private": "0.0"} == {
        line.partition('peer="')[2].partition('"')[0]: line.rpartition(" ")[2] for line in flows
    }


def test_names_and_tags_of_subnets_are_on_the_page(host: Host) -> None:
    """Those tags that the setting names, read from EC2."""
    pages: list[str] = []

    def has_page() -> bool:
        if host.is_ready():
            pages.append(host.page("/metrics")[1])
        return bool(pages)

    host.run_until(has_page, subnet_tags=("Team",))

    assert 'flowlog_subnet_tags{subnet_id="subnet-a",tag_team="net"} 1.0' in pages[0]
    assert 'region="eu-west-1",subnet_id="subnet-a",vpc_id="vpc-1",vpc_name="shop"} 1.0' in pages[0]


def test_what_an_earlier_launcher_left_is_cleaned_up_before_the_start(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the user's mistakes are excluded, and before the ledger is opened."""
    monkeypatch.setattr(leftovers, "end_processors", lambda state: host.prepared.append(state.path.name))

    host.run_until(host.is_ready)

    assert ["state", "subreaper"] == host.prepared


def test_a_damaged_ledger_is_set_aside_before_the_start(host: Host) -> None:
    """The instance starts with an empty ledger."""
    host.state_dir.mkdir()
    (host.state_dir / "ledger.sqlite3").write_bytes(b"no ledger" * 1000)

    host.aws.on_check = lambda: host.stop.note(15)
    host.run()

    assert 1 == len(list(host.state_dir.glob("ledger.sqlite3.broken-*Z")))
    Ledger(host.state_dir / "ledger.sqlite3").close()


def test_an_instance_waits_for_the_scrape_that_shows_its_last_counts(host: Host) -> None:
    """It was scraped before, so somebody is there to see them; the wait ends with the scrape, far before its time."""
    last_scrapes: list[int] = []

    def scrape_during_the_stop() -> None:
        assert eventually(lambda: "Stopping; waiting for the last checkpoints" in host.messages)
        # The first of them may have begun before the last checkpoints.
        while "Stopped" not in host.messages:
            with contextlib.suppress(OSError, http.client.HTTPException):
                last_scrapes.append(host.page("/metrics")[0])

    prometheus = threading.Thread(target=scrape_during_the_stop)

    def is_scraped() -> bool:
        return host.is_ready() and host.page("/metrics")[0] == 200

    prometheus.start()
    host.run_until(is_scraped, final_scrape_timeout=10 * PATIENCE)
    prometheus.join()

    assert 200 in last_scrapes


def test_an_instance_that_gives_up_leaves_nothing_running(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leader's lock is released, and the directory is free."""

    def give_up(_: object) -> None:
        if host.aws.dynamodb.released_in:
            raise FlowlogError("given up")

    monkeypatch.setattr("kcl_flowlog.launcher.main_loop.Housekeeping.step", give_up)

    with pytest.raises(FlowlogError, match="given up"):
        host.run()

    assert 2 == len(host.aws.dynamodb.released_in)
    with StateDirectory(host.state_dir):
        pass
