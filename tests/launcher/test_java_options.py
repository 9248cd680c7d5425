"""The options of Java: the user's, and ours for what they leave open."""

from __future__ import annotations

import pytest

from kcl_flowlog.launcher.java_options import with_defaults

OURS = "-XX:+UseSerialGC"


@pytest.mark.parametrize(
    ("expected", "options", "environ"),
    [
        (["-Xmx512m", OURS], ["-Xmx512m"], {}),
        ([OURS], [], {"JAVA_TOOL_OPTIONS": "-Xss1m -Dpath=/@"}),
        ([OURS], [], {"OTHER": "-XX:+UseG1GC"}),
        (["-Xmx1g", "-XX:+UseG1GC"], ["-Xmx1g", "-XX:+UseG1GC"], {}),
        (["-XX:+UseZGC", "-Xmx1g"], ["-XX:+UseZGC", "-Xmx1g"], {}),
        (["-XX:-UseSerialGC"], ["-XX:-UseSerialGC"], {}),
        (["-XX:+UseGCOverheadLimit", OURS], ["-XX:+UseGCOverheadLimit"], {}),
        (["@/etc/java/options"], ["@/etc/java/options"], {}),
        (["-Xmx1g"], ["-Xmx1g"], {"JAVA_TOOL_OPTIONS": "-Xss1m -XX:+UseParallelGC"}),
        ([], [], {"JDK_JAVA_OPTIONS": "-XX:+UseG1GC"}),
        ([], [], {"_JAVA_OPTIONS": "-XX:+UseShenandoahGC"}),
    ],
)
def test_a_collector_is_chosen_only_if_nobody_else_may_have_chosen_one(
    expected: list[str], options: list[str], environ: dict[str, str]
) -> None:
    assert expected == with_defaults(options, environ)
