"""The kinds of names that are counted for a subnet, and how many of each are kept."""

from __future__ import annotations

from typing import Final

SOURCE, PORT, PAIR, INGRESS, EGRESS = range(5)
"""Rejected flows by source, by destination port, and by source and destination; accepted bytes by the other end."""

KIND_BITS: Final = 3
"""A group is a subnet's number and a kind: `subnet << KIND_BITS | kind`."""
KINDS: Final = 1 << KIND_BITS

KEPT: Final = (256, 128, 256, 64, 64)
"""Most names of each kind that a subnet keeps: in a commit, and in a step of five minutes."""
