"""The steps of time by which who sent what is kept; the present step is one of them."""

from __future__ import annotations

from typing import Final

STEP: Final = 300
"""The seconds of a step."""
STEPS: Final = 12
"""The steps of an hour: as many are kept."""
