"""Shift the wall clock of a Python program that has this folder on PYTHONPATH.

The file CLOCK_AHEAD holds the seconds. libfaketime, which shifts any program, stops a JVM from starting and breaks
Python's `time.sleep`, so the daemon keeps the true clock.
"""

import os
import time

_PATH = os.environ["CLOCK_AHEAD"]
_true_time = time.time


def _ahead() -> float:
    with open(_PATH) as file:
        return float(file.read())


time.time = lambda: _true_time() + _ahead()
