"""The process controls, observed through processes that outlive their parents."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl is a call of Linux")

# Starts a child, which starts a grandchild and ends; prints whose child the grandchild is then.
_FAMILY = """
import os, subprocess, sys
from kcl_flowlog.launcher.prctl import become_subreaper
if sys.argv[1] == "adopting":
    become_subreaper()
reader, writer = os.pipe()
go, start = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.read(go, 1)
        os.write(writer, str(os.getppid()).encode())
        os._exit(0)
    os._exit(0)
os.wait()
os.write(start, b"x")
print(int(os.read(reader, 20)) == os.getpid())
"""


@pytest.mark.parametrize(("role", "is_adopted"), [("adopting", "True"), ("default", "False")])
def test_a_subreaper_becomes_the_parent_of_its_grandchildren(role: str, is_adopted: str) -> None:
    """Without it, a grandchild whose parent ended would belong to process 1."""
    answer = subprocess.run([sys.executable, "-c", _FAMILY, role], capture_output=True, text=True, check=True)

    assert is_adopted == answer.stdout.strip()


def test_a_process_is_signalled_when_its_parent_ends() -> None:
    """Its parent starts it, waits until it is prepared, and ends."""
    child = (
        "import os, signal, sys, time\n"
        "from kcl_flowlog.launcher.prctl import set_parent_death_signal\n"
        "signal.signal(signal.SIGUSR1, lambda *_: (os.write(1, b'signalled'), os._exit(0)))\n"
        "set_parent_death_signal(signal.SIGUSR1)\n"
        "os.write(2, b'ready')\n"
        "time.sleep(60)\n"
    )
    parent = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stderr=subprocess.PIPE)\n"
        "child.stderr.read(5)\n"
    )

    # Its output ends when the child ends, too.
    answer = subprocess.run([sys.executable, "-c", parent, child], capture_output=True, text=True, check=True)

    assert "signalled" == answer.stdout
