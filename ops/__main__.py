"""Writes the generated files: `python -m ops`."""

from __future__ import annotations

import sys

from ops.outputs import outputs
from ops.values import ValuesError, read_values


def main() -> int:
    """Write each generated file that has changed, and name it."""
    try:
        files = outputs(read_values())
    except ValuesError as error:
        print(error, file=sys.stderr)
        return 2
    for path, text in files.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"Written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
