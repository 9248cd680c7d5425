"""The unit for systemd: systemd accepts it, and it leaves an instance the time that its settings promise."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from kcl_flowlog.config import settings
from tests.support.paths import ROOT
from tests.support.stop_time import stop_time

UNIT = ROOT / "deploy" / "systemd" / "kcl-flowlog.service"
ANALYZE = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
# Of systemd's scale from 0 (nothing is permitted) to 10.
MOST_EXPOSED = 1.5


def service() -> configparser.SectionProxy:
    """Return the section [Service], of keys that stand there several times the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign] # the case of keys counts
    parser.read(UNIT)
    return parser["Service"]


@ANALYZE
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """The command is another, because the unit's own is not installed here."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/kcl-flowlog/bin/kcl-flowlog", "/bin/true"))

    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)


@ANALYZE
def test_the_service_is_exposed_to_little() -> None:
    """`systemd-analyze security` counts what a broken service could reach."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={round(MOST_EXPOSED * 10)}", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout


def test_its_command_has_options_that_exist() -> None:
    flags = {found.flag for found in settings().values()}
    command = shlex.split(service()["ExecStart"])

    assert ["/opt/kcl-flowlog/bin/kcl-flowlog", "run"] == command[:2]
    assert set() == {word for word in command if word.startswith("--")} - flags - {"--config.file"}


def test_it_waits_for_the_end_that_the_defaults_allow() -> None:
    assert stop_time() <= float(service()["TimeoutStopSec"])
