"""Where the parts of the checkout are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
"""The top of the checkout."""
