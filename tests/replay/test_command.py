"""The command `kcl-flowlog replay`."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kcl_flowlog import cli
from kcl_flowlog.config import Config
from kcl_flowlog.counting import subnets
from kcl_flowlog.errors import ConfigError, NothingRead
from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.replay import command, current_inventory
from tests.support.builders import GOOD, INVENTORY, envelope, line
from tests.support.ec2 import HERE, SUBNETS, UNREACHABLE, FakeEc2
from tests.support.replay import LINES, item_counter

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs `replay` on a file of lines with a saved inventory."""
    inventory = tmp_path / "inventory.json"
    inventory.write_bytes(subnets.dump(INVENTORY))
    (tmp_path / "flows.log").write_text(LINES)

    def run(*arguments: str, **options: Any) -> Result:
        argv = ["replay", "--inventory", str(inventory), *arguments, str(tmp_path / "flows.log")]
        return CliRunner().invoke(cli.cli, argv, **options)

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield run
    root.handlers[:], root.level = handlers, level


def test_the_default_output_is_a_table(run: Run) -> None:
    """On stdout."""
    result = run()

    assert 0 == result.exit_code
    assert result.stdout.startswith("subnet    name  direction  action  flows  packets  bytes\nsubnet-a ")


def test_output_chooses_the_format(run: Run) -> None:
    """As JSON it is for another program."""
    assert 2 == json.loads(run("--output", "json").stdout)["outcomes"]["counted"]


def test_settings_of_run_apply(run: Run, tmp_path: Path) -> None:
    """The labels, the limit of subnets, the watched ports, the formats, duplicates and log groups of `run`."""
    (tmp_path / "more.log").write_text(line("10.0.2.10", "198.51.100.7", "eni-b") + "\n")
    metrics = ("--output", "metrics", "--traffic-labels", "", "--max-subnets", "1", "--watched-ports", "23")
    page = run(*metrics, str(tmp_path / "more.log")).stdout
    (tmp_path / "short.log").write_text("eni-a 10.0.1.10 8.8.8.8 50\n")
    short = "${interface-id} ${srcaddr} ${dstaddr} ${bytes}"
    formats = run("--output", "json", "--flow-log-format", short, str(tmp_path / "short.log")).stdout
    (tmp_path / "payload").write_bytes(envelope(GOOD))
    copies = run("--output", "json", "--no-deduplicate", *[str(tmp_path / "payload")] * 2).stdout

    groups = run("--output", "json", "--log-group", "*", "--log-group", "!flow-*", str(tmp_path / "payload")).stdout

    assert {"counted": 2, "ignored": 1}.items() <= json.loads(groups)["outcomes"].items()
    assert 'flowlog_flows_total{action="accept",direction="egress",subnet_id="subnet-b"} 1.0' in page
    assert 'flowlog_flows_total{action="accept",direction="egress",subnet_id="other"} 1.0' in page
    assert 'port="other"' in page
    assert 'port="22"' not in page
    assert 3 == json.loads(formats)["outcomes"]["counted"]
    assert 0 == json.loads(copies)["outcomes"]["duplicate"]


def test_a_dash_is_standard_input(run: Run) -> None:
    """Besides other files."""
    report = json.loads(run("--output", "json", "-", input=envelope(GOOD)).stdout)

    assert (3, 1) == (report["outcomes"]["counted"], report["payloads"]["data"])


def test_records_that_wait_for_their_interface_are_counted_at_the_end(run: Run, tmp_path: Path) -> None:
    """One record of an unlisted interface tells nothing, but is not forgotten."""
    unknown = tmp_path / "unknown.log"
    unknown.write_text(GOOD.replace("eni-a", "eni-badc0ffe") + "\n")

    outcomes = json.loads(run("--output", "json", str(unknown)).stdout)["outcomes"]

    assert 6 == sum(outcomes.values())


def test_progress_adds_up_to_the_size_of_a_file(tmp_path: Path) -> None:
    """On disk: the bar of a compressed file ends at its end, too."""
    path = tmp_path / "flows.log.gz"
    path.write_bytes(gzip.compress(LINES.encode() * 1000))
    steps: list[int] = []

    command.count_file(str(path), item_counter(), steps.append)

    assert path.stat().st_size == sum(steps)


def test_each_file_has_its_outcomes(run: Run, tmp_path: Path) -> None:
    """A record that waits for its interface counts for the file that it is in."""
    (tmp_path / "waits.log").write_text(line("10.0.1.77", "10.0.9.1", "eni-9") + "\n")

    files = json.loads(run("--output", "json", str(tmp_path / "waits.log")).stdout)["files"]

    assert {
        str(tmp_path / "waits.log"): {"unattributed": 1},
        str(tmp_path / "flows.log"): {"counted": 2, "nodata": 1, "skipdata": 1, "malformed": 1},
    } == {name: of_file["outcomes"] for name, of_file in files.items()}


def test_lines_are_shown_with_their_place_and_reason(run: Run, tmp_path: Path) -> None:
    """On stderr, so that the result stays what it is."""
    (tmp_path / "waits.log").write_text("\n" + line("10.0.1.77", "10.0.9.1", "eni-9") + "\n")

    shown = run("--output", "json", "--show", "malformed, unattributed", str(tmp_path / "waits.log"))

    assert [
        f"{tmp_path}/flows.log:3: malformed: field_count: bad",
        f"{tmp_path}/waits.log:2: unattributed: {line('10.0.1.77', '10.0.9.1', 'eni-9')}",
    ] == sorted(shown.stderr.splitlines())
    assert json.loads(shown.stdout)


def test_an_outcome_that_has_no_lines_is_a_config_error(run: Run) -> None:
    """The sentence names those that have."""
    with pytest.raises(ConfigError) as refused:
        run("--show", "counted", catch_exceptions=False)

    assert "--show: 'counted' is not one of: malformed, unattributed, unsupported, skipdata, nodata." == str(
        refused.value
    )


def test_dead_letters_can_be_replayed(run: Run, tmp_path: Path) -> None:
    """The file holds what was malformed, with its place, and nothing else."""
    letters = tmp_path / "letters.jsonl"

    run("--dead-letters", str(letters))
    again = json.loads(run("--output", "json", str(letters)).stdout)

    assert [(f"{tmp_path}/flows.log", "3", "field_count", "bad")] == [
        (letter["shard_id"], letter["sequence_number"], letter["reason"], letter["body"])
        for letter in map(json.loads, letters.read_text().splitlines())
    ]
    assert {"field_count": 1} == again["files"][str(letters)]["malformed"]


def test_a_file_that_is_read_is_not_written(run: Run, tmp_path: Path) -> None:
    """It would be empty before it was read."""
    path = tmp_path / "flows.log"

    with pytest.raises(ConfigError) as refused:
        run("--dead-letters", str(path), catch_exceptions=False)

    assert f"--dead-letters: {path} is one of the files to read; name another file." == str(refused.value)
    assert LINES == path.read_text()


def test_a_file_of_which_nothing_can_be_read_is_an_error(run: Run, tmp_path: Path) -> None:
    """The sentence names it, and the result of the other files is there all the same."""
    junk, empty = tmp_path / "junk", tmp_path / "empty"
    junk.write_text("no flow log\nat all, not even a header\n")
    empty.write_text("")

    result = run(str(junk), str(empty))

    assert isinstance(result.exception, NothingRead)
    assert f"Nothing could be read of {junk} (field_count 2); --show malformed prints the lines." == str(
        result.exception
    )
    assert "subnet-a" in result.stdout


def test_many_unread_files_make_a_short_sentence(run: Run, tmp_path: Path) -> None:
    """Ten names are enough."""
    names = [tmp_path / f"junk-{number:02}" for number in range(12)]
    for name in names:
        name.write_text("junk\n")

    result = run(*map(str, names))

    assert str(result.exception).endswith(
        f"{names[9]} (field_count 1) and 2 more files; --show malformed prints the lines."
    )


def test_an_empty_file_is_a_warning(run: Run, tmp_path: Path) -> None:
    """AWS writes none, but a pipe whose first command failed does."""
    (tmp_path / "empty").write_text("")

    result = run(str(tmp_path / "empty"))

    assert 0 == result.exit_code
    assert f'msg="The file holds nothing to count" file={tmp_path}/empty' in result.stderr


def test_a_file_that_fails_does_not_lose_the_others(run: Run) -> None:
    """For example on a broken disk."""
    result = run("/proc/self/mem")

    assert "Nothing could be read of /proc/self/mem (payload_damaged 1);" in str(result.exception)
    assert "subnet-a" in result.stdout
    assert 'msg="Cannot read the file" file=/proc/self/mem' in result.stderr


def test_without_an_inventory_only_the_record_tells_its_subnet(tmp_path: Path) -> None:
    """And nobody asks EC2, or for a region."""
    path = tmp_path / "flows.log"
    path.write_text("subnet-id srcaddr dstaddr bytes\nsubnet-7 10.0.0.1 10.0.0.2 5\n- 10.0.0.1 10.0.0.2 5\n")

    result = CliRunner().invoke(cli.cli, ["replay", "--no-inventory", "--output", "json", str(path)])

    assert {"counted": 1, "unattributed": 1}.items() <= json.loads(result.stdout)["outcomes"].items()


def test_an_inventory_and_none_exclude_each_other(run: Run) -> None:
    """The user has to decide."""
    with pytest.raises(ConfigError, match=r"^--inventory and --no-inventory exclude each other; leave one out\.$"):
        run("--no-inventory", catch_exceptions=False)


def test_a_misspelt_field_of_a_format_is_an_error(run: Run) -> None:
    """It would be read as a field of the future, and every record would lack it."""
    with pytest.raises(ConfigError, match=r"there is no field 'scraddr'; did you mean 'srcaddr'\?$"):
        run("--flow-log-format", "${scraddr} ${dstaddr}", catch_exceptions=False)


def test_without_a_saved_inventory_ec2_is_read() -> None:
    """Once, as it is now."""
    inventory = current_inventory.read([SourceReader(HERE, lambda: ("", FakeEc2(((1, 2),))))], "")

    assert ["subnet-1", "subnet-2"] == [subnet.subnet_id for subnet in inventory.subnets]


def test_an_unreachable_ec2_is_a_config_error() -> None:
    """The sentence may name a way without EC2."""
    reader = SourceReader(HERE, lambda: ("", FakeEc2().fail(SUBNETS, UNREACHABLE)))

    with pytest.raises(ConfigError, match=r"^Cannot read the subnets from EC2; see the log, or walk\.$"):
        current_inventory.read([reader], ", or walk")


def test_ec2_is_read_in_the_region_of_the_settings() -> None:
    """Or of the environment."""
    readers = [
        current_inventory.readers(Config(stream="none", region=region), {"AWS_REGION": "us-west-2"})
        for region in ("", "eu-west-1")
    ]

    assert ["us-west-2", "eu-west-1"] == [reader.source.region for several in readers for reader in several]
