"""The options of the Java virtual machine that this package adds to those of the user.

Pure. Whatever the user has chosen is left alone: Java refuses two collectors, and does not start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# Java adds their options to those of the command line.
_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
# Or may choose one: a file of options.
_CHOOSES_COLLECTOR = re.compile(r"-XX:[+-]Use\w*GC$|@|-XX:Flags=|-XX:VMOptionsFile=")
# A batch is a few large arrays: G1 copies none of them, but marks the whole heap again and again because of them.
_COLLECTOR = "-XX:+UseSerialGC"


def with_defaults(options: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Return the user's options, and the defaults for what neither they nor Java's variables decide."""
    words = [*options, *(word for name in _VARIABLES for word in environ.get(name, "").split())]
    return [*options, *([] if any(map(_CHOOSES_COLLECTOR.match, words)) else [_COLLECTOR])]
