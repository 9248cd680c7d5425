"""What tests download once into build/stand-ins, at the versions that files of the repository name."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.paths import ROOT

FOLDER = ROOT / "build" / "stand-ins"
_COMPLETE = "complete"


def is_downloaded(name: str) -> bool:
    """Tell whether a download is complete."""
    return (FOLDER / name / _COMPLETE).exists()


def download(name: str, command: Sequence[str], files: Sequence[Path] = ()) -> Path:
    """Return the folder of a download; if it is missing, run the command there, beside copies of the files."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    # Several processes of a test run may want it at the same moment: one downloads, the others wait.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_downloaded(name):
            print(f"Downloading {name} …", flush=True)
            for file in files:
                shutil.copy(file, folder)
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
            (folder / _COMPLETE).touch()
    return folder


def download_with_npm(name: str, recipe: Path) -> Path:
    """Return the folder of the packages that the lock in `recipe` names; download them if they are missing."""
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    return download(name, command, [recipe / "package.json", recipe / "package-lock.json"])
