"""Validates bills of materials by the strict schema of CycloneDX: `python tests/dist/validate_sbom.py FILE…`.

Needs requirements/dist.txt. Exits with 1 and the first error.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main() -> int:
    """Return the exit status."""
    for path in sys.argv[1:]:
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(Path(path).read_text(encoding="utf-8"))
        if error is not None:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
        print(f"The bill of materials is valid: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
