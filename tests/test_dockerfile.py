"""The base of the image: one that the build may replace, named exactly."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import amazon_kclpy
import pytest

from tests.support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
BASE = re.compile(r"docker\.io/[a-z/]+:(?P<tag>[\w.-]+)(@sha256:[0-9a-f]{64})?")


def test_all_stages_stand_on_one_base() -> None:
    """A digest given to the build pins all of them."""
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    assert {"${BASE_IMAGE}", "libraries", "base"} == set(stages)


def test_the_base_has_a_registry_and_a_tag_and_perhaps_a_digest() -> None:
    """The tag names the releases of Python and of Debian."""
    (base,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    found = BASE.fullmatch(base)

    assert found is not None
    assert re.fullmatch(r"3\.\d+-slim-[a-z]+", found["tag"])


@pytest.mark.parametrize("digest", ["@sha256:", "@sha256:" + "0" * 63, "@sha256:" + "g" * 64, "@md5:" + "0" * 64])
def test_a_digest_that_is_cut_is_no_digest(digest: str) -> None:
    """As happens when it is copied by hand."""
    assert BASE.fullmatch("docker.io/library/python:3.11-slim-bookworm" + digest) is None


def test_the_health_check_is_a_command_of_the_product() -> None:
    """It knows the settings that the image was started with."""
    (command,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)

    assert ["kcl-flowlog", "healthcheck"] == json.loads(command)


def test_no_jar_holds_machine_code() -> None:
    """So the jars are those of every architecture; `make image-test` looks for the wheels of arm64."""
    jars = list((Path(amazon_kclpy.__file__).parent / "jars").glob("*.jar"))
    native = (".so", ".dll", ".dylib", ".jnilib")

    assert jars
    assert [] == [
        f"{jar.name}: {name}" for jar in jars for name in zipfile.ZipFile(jar).namelist() if name.endswith(native)
    ]


def test_the_bill_of_materials_is_in_the_image() -> None:
    """`tests/image/run` compares it with what is there."""
    assert "COPY --from=sbom /src/sbom.cdx.json /usr/share/doc/kcl-flowlog/" in DOCKERFILE
