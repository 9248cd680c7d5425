"""A small part of systemctl, where no systemd runs: it starts and stops the service of an installed unit.

Does what the unit says with the keys that the service needs to run: user, state directory, environment, command. Knows
no sandbox: `systemd-analyze verify` and `security` look at that, here and in tests/deploy.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

UNIT = Path("/etc/systemd/system/kcl-flowlog.service")
ENVIRONMENT = "/etc/kcl-flowlog/environment"
STATE = Path("/var/lib")
# As root can be no user of the service, whatever DynamicUser takes.
USER = 61_184
_PROCESS = Path("/etc/kcl-flowlog/service.pid")


def main(verb: str, *words: str) -> int:
    """Do what `systemctl` does with these words."""
    if verb == "daemon-reload":
        return verify()
    if (verb, *words) == ("enable", "--now", UNIT.stem):
        start()
        return 0
    print(f"tests.dist.service knows no systemctl {verb} {' '.join(words)}", file=sys.stderr)
    return 2


def verify() -> int:
    """Have systemd read the unit, if it is installed."""
    if shutil.which("systemd-analyze") is None:
        return 0
    return subprocess.run(["systemd-analyze", "verify", str(UNIT)], check=False).returncode


def start() -> None:
    """Start the service as its unit says, and note its process."""
    unit = _keys()
    state = STATE / unit["StateDirectory"]
    _make(state, int(unit["StateDirectoryMode"], 8))
    variables = Path(unit["EnvironmentFile"].removeprefix("-")).read_text(encoding="utf-8").splitlines()
    process = subprocess.Popen(
        shlex.split(unit["ExecStart"].replace("%S", str(STATE))),
        env={
            "PATH": os.defpath,
            "STATE_DIRECTORY": str(state),
            **dict(line.split("=", 1) for line in [*variables, unit["Environment"]]),
        },
        cwd="/",
        user=USER,
        group=USER,
        extra_groups=[],
        umask=int(unit["UMask"], 8),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    _PROCESS.write_text(f"{process.pid}")


def _make(state: Path, mode: int) -> None:
    """Give the service its state directory, with all that is in it, as systemd does: it may be there already."""
    state.mkdir(exist_ok=True)
    state.chmod(mode)
    for path in (state, *state.rglob("*")):
        os.chown(path, USER, USER, follow_symlinks=False)


def stop() -> None:
    """Send SIGTERM to the service, and wait for its end as long as the unit says; a second call does nothing."""
    if not _PROCESS.exists():
        return
    process = int(_PROCESS.read_text())
    _PROCESS.unlink()
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + float(_keys()["TimeoutStopSec"])
    while _runs(process):
        if time.monotonic() > deadline:
            raise TimeoutError("The service does not end within TimeoutStopSec.")
        time.sleep(0.1)


def _runs(process: int) -> bool:
    """Tell whether a process is there and has not ended; nobody may have waited for it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _keys() -> dict[str, str]:
    """Return the keys of the unit's sections; of a key that stands there several times the last."""
    lines = (line.partition("=") for line in UNIT.read_text(encoding="utf-8").splitlines() if line[:1].isalpha())
    return {key: text for key, _, text in lines}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
