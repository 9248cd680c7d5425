"""Writes the generated files: `python -m ops`."""

from __future__ import annotations

import sys
from pathlib import Path

from ops.chart import chart_files
from ops.outputs import outputs
from ops.values import Values, ValuesError, read_values


def main() -> int:
    """Write each generated file that has changed, and name it."""
    try:
        values = read_values()
        files = outputs(values) | _dashboards(values)
    except ValuesError as error:
        print(error, file=sys.stderr)
        return 2
    for path, text in {**files, **chart_files(files)}.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"Written: {path}")
    return 0


def _dashboards(values: Values) -> dict[Path, str]:
    if sys.version_info < (3, 11):
        print("The dashboards are left as they are: grafana-foundation-sdk needs Python 3.11.", file=sys.stderr)
        return {}
    from ops.dashboards.build import dashboard_files

    return dashboard_files(values)


if __name__ == "__main__":
    sys.exit(main())
