"""The two process controls of Linux that keep processes from outliving each other; elsewhere they do nothing.

Small, since `kcl_flowlog.launcher.parent_death` imports it in a process that is about to become Java.
"""

from __future__ import annotations

import ctypes
import sys

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36


def set_parent_death_signal(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends; an `exec` keeps that."""
    _prctl(_SET_PARENT_DEATH_SIGNAL, number)


def become_subreaper() -> None:
    """Become the parent of every descendant whose own parent ends, and so be able to reap it."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
