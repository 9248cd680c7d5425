"""The steps of time by which who sent what is kept; the present step is one of them."""

from __future__ import annotations

from typing import Final

STEP: Final = 300
"""The seconds of a step."""
STEPS: Final = 12
"""The steps of an hour."""
STEPS_AHEAD: Final = 1
"""Steps after the present that are kept as well: a clock may be a little ahead, or go back."""
