"""The options of the Java virtual machine that this package adds to those of the user.

Pure. What the user has decided is left alone; with two collectors, Java does not even start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

LEAST_HEAP = 512
"""Megabytes."""

# A shard that catches up has three batches of ten megabytes in memory, each of them up to three times.
_BASE_HEAP, _HEAP_OF_SHARD = 256, 64
# Java adds the options in these variables to those of the command line.
_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
# These read more options from a file, which may decide anything.
_FILE = r"@|-XX:Flags=|-XX:VMOptionsFile="
_DECIDES_HEAP = re.compile(rf"{_FILE}|-Xmx|-mx|-XX:MaxHeapSize=|-XX:MaxRAM")
_DECIDES_COLLECTOR = re.compile(rf"{_FILE}|-XX:[+-]Use\w*GC$")


def with_defaults(options: Sequence[str], environ: Mapping[str, str], shards: int) -> list[str]:
    """Return the user's options, and the defaults for what neither they nor Java's variables decide.

    `shards` is the number of the stream's shards, all of which one instance may have to hold.
    """
    words = [*options, *(word for name in _VARIABLES for word in environ.get(name, "").split())]
    defaults = {
        f"-Xmx{max(LEAST_HEAP, _BASE_HEAP + shards * _HEAP_OF_SHARD)}m": _DECIDES_HEAP,
        # A batch is a few large arrays. Because of them, G1 marks the whole heap again and again.
        "-XX:+UseSerialGC": _DECIDES_COLLECTOR,
    }
    return [*options, *(option for option, decides in defaults.items() if not any(map(decides.match, words)))]
