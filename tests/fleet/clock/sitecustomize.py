"""On PYTHONPATH, this lets the wall clock of a Python program be ahead by what the file CLOCK_AHEAD says, in seconds.

Of libraries that do the same for any program, libfaketime stops a JVM from
starting and makes Python's `time.sleep` fail, so the daemon keeps its clock.
"""

import os
import time

_PATH = os.environ["CLOCK_AHEAD"]
_true_time = time.time


def _ahead() -> float:
    with open(_PATH) as file:
        return float(file.read())


time.time = lambda: _true_time() + _ahead()
