"""The options of Java: the user's, and ours for what they leave open."""

from __future__ import annotations

import pytest

from kcl_flowlog.launcher.java_options import with_defaults

SERIAL = "-XX:+UseSerialGC"
HEAP = "-Xmx512m"


@pytest.mark.parametrize(("expected", "shards"), [(512, 0), (512, 4), (576, 5), (1280, 16), (64256, 1000)])
def test_the_heap_grows_with_the_shards_of_the_stream(expected: int, shards: int) -> None:
    assert [f"-Xmx{expected}m", SERIAL] == with_defaults([], {}, shards)


@pytest.mark.parametrize(
    ("expected", "options", "environ"),
    [
        ([HEAP, SERIAL], [], {}),
        (["-Dpath=/@", HEAP, SERIAL], ["-Dpath=/@"], {"OTHER": "-XX:+UseG1GC -Xmx1g"}),
        (["-Xmx1g", SERIAL], ["-Xmx1g"], {}),
        (["-XX:MaxRAMPercentage=40", SERIAL], ["-XX:MaxRAMPercentage=40"], {}),
        (["-XX:MaxHeapSize=1g", SERIAL], ["-XX:MaxHeapSize=1g"], {}),
        (["-XX:+UseG1GC", HEAP], ["-XX:+UseG1GC"], {}),
        (["-XX:+UseZGC", "-Xmx1g"], ["-XX:+UseZGC", "-Xmx1g"], {}),
        (["-XX:-UseSerialGC", HEAP], ["-XX:-UseSerialGC"], {}),
        (["-XX:+UseGCOverheadLimit", HEAP, SERIAL], ["-XX:+UseGCOverheadLimit"], {}),
        (["@/etc/java/options"], ["@/etc/java/options"], {}),
        ([SERIAL], [], {"JAVA_TOOL_OPTIONS": "-Xss1m -Xmx1g"}),
        ([HEAP], [], {"JDK_JAVA_OPTIONS": "-XX:+UseParallelGC"}),
        ([HEAP], [], {"_JAVA_OPTIONS": "-XX:+UseShenandoahGC"}),
    ],
)
def test_what_somebody_else_may_have_decided_is_left_alone(
    expected: list[str], options: list[str], environ: dict[str, str]
) -> None:
    assert expected == with_defaults(options, environ, shards=1)
