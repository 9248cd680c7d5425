"""What the web config asks for and this server can't do, as a sentence for a warning."""

from __future__ import annotations

from typing import NamedTuple


class Shortfall(NamedTuple):
    """The key of the web config, and what happens instead."""

    key: str
    sentence: str
