"""This version starts on what every earlier version has left: a whole instance, real but for AWS and Java."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kcl_flowlog.commits import meta, schema
from kcl_flowlog.commits.database import connect
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.delta import Snapshot, Traffic
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import ConfigError
from tests.support.earlier_states import SCHEMAS, EarlierState, Labels
from tests.support.examples import HAS_ALL
from tests.support.host import Host, make_host
from tests.support.ledgers import content
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "upgrading.md").read_text()
NEWEST = len(schema.STEPS)
LABELS = ("subnet_id", "direction", "action", "protocol", "peer")
NEW_SERIES = Traffic("subnet-a", "ingress", "accept", "udp", "private")


@pytest.fixture
def host(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Host:
    return make_host(tmp_path, caplog, monkeypatch)


def flows(page: str) -> dict[Labels, int]:
    """Return the flows of each series of a page, by its five labels."""
    return {
        tuple(sample.labels[name] for name in LABELS): int(sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "flowlog_flows_total" and sample.value
    }


def shown(host: Host, **settings: int) -> dict[Labels, int]:
    """Run an instance until it is ready; return the flows that it shows."""
    pages: list[str] = []

    def has_page() -> bool:
        if host.is_ready():
            pages.append(host.page("/metrics")[1])
        return bool(pages)

    host.run_until(has_page, new_series_hold=0.0, **settings)
    return flows(pages[0])


def flows_after_one_more(host: Host) -> dict[Labels, int]:
    """Commit a flow as a processor does; return the totals."""
    with Ledger(host.state_dir / "ledger.sqlite3") as ledger:
        claim = ledger.claim("shardId-000000000009", ledger.begin_generation())
        ledger.prepare(claim, Position("900"), Snapshot(traffic=[(NEW_SERIES, (1, 1, 1))]))
        ledger.fold(claim)
        found: dict[Labels, int] = {}
        for total in ledger.totals().traffic:
            found[total.series[:5]] = found.get(total.series[:5], 0) + total.flows
        return found


def test_each_schema_has_a_state_directory() -> None:
    """A new schema needs one that its code has written, and a row on the page."""
    assert list(range(1, NEWEST + 1)) == SCHEMAS
    assert SCHEMAS == [int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]


@pytest.mark.parametrize("version", SCHEMAS if HAS_ALL else SCHEMAS[:1])
def test_counts_of_an_earlier_version_are_shown_and_go_on(version: int, host: Host) -> None:
    """Left commits are settled by the lease rows; nothing is set aside; and an instance keeps its identity.

    Its worker id regains the leases, and the application begins where the first version has noted.
    """
    earlier = EarlierState(version)
    earlier.lay(host.state_dir)
    identity = {path.name: path.read_text() for path in host.state_dir.glob("*-*") if path.suffix == ""}
    rows = earlier.lease_rows()
    host.aws.dynamodb.claimed_rows = rows
    host.aws.dynamodb.items |= {("kcl-flowlog", row["leaseKey"]["S"]): row for row in rows}

    assert earlier.flows == shown(host, **earlier.settings)
    assert ["ledger.sqlite3"] == [path.name for path in host.state_dir.glob("ledger.sqlite3*")]
    assert {**earlier.flows, NEW_SERIES[:5]: 1} == flows_after_one_more(host)
    assert identity == {name: (host.state_dir / name).read_text() for name in identity}
    record = host.aws.dynamodb.items["kcl-flowlog-CoordinatorState", "flowlog-application"]
    began = record["initialPosition"]["S"]
    assert identity.get("first-start", began).strip() == began


def test_the_state_of_a_newer_version_is_refused_by_one_sentence(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged, nothing is changed, and no daemon starts: the newer version finds it as it was."""
    host.state_dir.mkdir()
    ledger = host.state_dir / "ledger.sqlite3"
    Ledger(ledger).close()
    with closing(connect(ledger, 0.0)) as db:
        db.execute(f"PRAGMA user_version = {NEWEST + 1}")
        meta.write(db, meta.SCHEMA, NEWEST + 1)
    before = content(ledger)

    with pytest.raises(ConfigError) as error:
        host.run()

    assert "The ledger was written by a newer version of kcl-flowlog; run that version." == str(error.value)
    assert f"\n{error.value}\n" in PAGE
    assert ([], before) == (caplog.messages, content(ledger))


def test_a_record_of_a_newer_version_is_refused_by_one_sentence(host: Host) -> None:
    """The other instances know more than this."""
    host.aws.dynamodb.items["kcl-flowlog-CoordinatorState", "flowlog-application"] = {
        "key": {"S": "flowlog-application"},
        "schema": {"S": "2"},
    }

    with pytest.raises(ConfigError, match=r"install the version that the other instances have\.$"):
        host.run()
