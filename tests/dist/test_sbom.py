"""The bill of materials: each locked library and each jar once, who needs whom, and the same bytes each time.

`make sbom` validates it by the schema of CycloneDX; `make image-test` compares that of the image with what is there.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog import __version__
from ops import sbom
from tests.support.paths import ROOT

IMAGE = (3, 11, 2)
PRODUCT = f"pkg:pypi/kcl-flowlog@{__version__}"
LOCK = (ROOT / "requirements" / "run.txt").read_text()
CHECKSUMS = (ROOT / "properties" / "kcl-jars-3.1.3.sha256").read_text()
JARS = {name: digest for digest, name in map(str.split, CHECKSUMS.splitlines())}


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    return sbom.bill(ROOT, IMAGE)


def components(bill: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in bill["components"] if each["purl"].startswith(f"pkg:{kind}/")]


def needs(bill: dict[str, Any], reference: str) -> list[str]:
    (found,) = [each["dependsOn"] for each in bill["dependencies"] if each["ref"] == reference]
    return list(found)


def test_each_locked_library_is_there_once(bill: dict[str, Any]) -> None:
    """In the version of the image's Python."""
    locked = set(re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE))

    assert sorted(locked) == sorted(each["name"] for each in components(bill, "pypi"))


@pytest.mark.parametrize(("python", "numpy"), [((3, 10, 9), "2.2"), ((3, 11, 0), "2.4"), ((3, 13, 1), "2.5")])
def test_a_condition_of_the_lock_is_respected(python: tuple[int, ...], numpy: str) -> None:
    """numpy has another version for each Python."""
    found = sbom.bill(ROOT, python)["components"]

    assert [numpy] == [each["version"].rpartition(".")[0] for each in found if each["name"] == "numpy"]


def test_each_jar_is_there_once_with_its_checksum(bill: dict[str, Any]) -> None:
    """Which the image and every start check."""
    jars = components(bill, "maven")

    assert JARS == {f"{jar['name']}-{jar['version']}.jar": jar["hashes"][0]["content"] for jar in jars}
    assert len(JARS) == len(jars)


def test_what_the_package_requires_is_what_it_depends_on(bill: dict[str, Any]) -> None:
    """As setup.cfg says; the jars are those of amazon-kclpy."""
    required = [text for text in importlib.metadata.requires("kcl-flowlog") or () if "extra ==" not in text]
    names = sorted(re.split(r"[^\w.-]", text)[0].lower() for text in required)

    assert names == [re.sub(r".*/(.*)@.*", r"\1", reference) for reference in needs(bill, PRODUCT)]
    assert {jar["bom-ref"] for jar in components(bill, "maven")} < set(needs(bill, "pkg:pypi/amazon-kclpy@3.1.3"))
    assert ["pkg:pypi/six@1.17.0"] == needs(bill, "pkg:pypi/python-dateutil@2.9.0.post0")


def test_every_reference_is_a_component(bill: dict[str, Any]) -> None:
    """And each component is somebody's dependency."""
    known = {each["bom-ref"] for each in bill["components"]}
    used = {reference for each in bill["dependencies"] for reference in each["dependsOn"]}

    assert known == used
    assert len(known) == len(bill["components"])


def test_an_image_adds_what_it_has_besides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python, Java and Debian's packages."""
    (tmp_path / "dpkg-query").write_text("#!/bin/sh\necho 'libc6 2.36-9+deb12u1 amd64'\n")
    (tmp_path / "dpkg-query").chmod(0o755)
    (tmp_path / "release").write_text('JAVA_VERSION="17.0.21.1"\nMODULES="java.base"\n')
    monkeypatch.setenv("PATH", str(tmp_path))

    found = [each["purl"] for each in sbom.image_parts(tmp_path / "release")]

    assert ["pkg:generic/openjdk@17.0.21.1", "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64"] == found[1:]
    assert found[0].startswith("pkg:generic/python@3.")


@pytest.mark.parametrize("line", ["numpy==2.4.6 ; sys_platform == 'win32' \\\n", "git+https://example.org/numpy\n"])
def test_a_lock_that_can_not_be_read_is_an_error(line: str) -> None:
    """A line that is skipped would be a library that nobody looks after."""
    with pytest.raises(SystemExit, match="The lock has a"):
        list(sbom._libraries(f"# made by uv\n{line}", IMAGE))


def test_the_same_files_give_the_same_bytes() -> None:
    """With a time only if SOURCE_DATE_EPOCH gives it; alone, as in the image, where nothing is installed."""
    command = [sys.executable, "-I", str(ROOT / "ops" / "sbom.py"), "--checkout", str(ROOT)]
    plain, timed, again = (
        subprocess.run(command, env=environ, capture_output=True, check=True).stdout
        for environ in ({}, {"SOURCE_DATE_EPOCH": "1700000000"}, {"SOURCE_DATE_EPOCH": "1700000000"})
    )

    assert timed == again
    assert "2023-11-14T22:13:20+00:00" == json.loads(timed)["metadata"]["timestamp"]
    assert "timestamp" not in json.loads(plain)["metadata"]
