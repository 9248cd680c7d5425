"""Change the code in small ways and count the changes that a test notices: `make mutants ARGS='counting'`.

Copies the working tree to memory and runs mutmut there, one folder of the package after the other, with the tests that
`[mutants]` in setup.cfg names for that folder. Writes the diff of each survivor to build/mutants, and ends with the
score of each folder. docs/testing.md says how to read them.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.paths import ROOT

REPORTS = ROOT / "build" / "mutants"
MEMORY = Path("/dev/shm")
# What mutmut notes of a mutant, as exit codes. A test that never ends notices the change, too.
KILLED = "killed"
STATES = {0: "survived", 1: KILLED, 3: KILLED, 5: "no test", 33: "no test", 36: KILLED, 24: KILLED, -24: KILLED}
STATES |= {152: KILLED, 255: KILLED}


def main() -> int:
    """Run what the command line names; return an exit code."""
    tests = _tests_by_folder()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "places",
        nargs="*",
        default=list(tests),
        metavar="PLACE",
        help=f"a folder or a module of the package, such as commits or commits/ledger.py (default: {' '.join(tests)})",
    )
    places = parser.parse_args().places
    for place in places:
        if place.split("/")[0] not in tests or not (ROOT / "kcl_flowlog" / place).exists():
            parser.error(f"{place!r} is not in one of the folders {', '.join(tests)}")
    scores = {place: mutate(place, tests[place.split("/")[0]]) for place in places}
    for place, found in scores.items():
        total = sum(found.values())
        rest = ", ".join(f"{number} {state}" for state, number in sorted(found.items()) if state != KILLED)
        share = f"{found[KILLED] / total:.1%}" if total else "nothing to mutate"
        print(f"{place}: {share} ({found[KILLED]} of {total} killed{', ' if rest else ''}{rest})")
    return 0


def mutate(place: str, tests: list[str]) -> Counter[str]:
    """Mutate a folder or module of the package; return the number of mutants by state."""
    with tempfile.TemporaryDirectory(prefix="mutants-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        copy = Path(name)
        _copy_tree(copy)
        _configure(copy / "setup.cfg", place, tests)
        print(f"Mutating {place} …", flush=True)
        _run_mutmut(copy)
        return _report(copy, place)


def _tests_by_folder() -> dict[str, list[str]]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return {folder: value.split() for folder, value in config["mutants"].items()}


def _copy_tree(target: Path) -> None:
    """Copy what git tracks, and what is new and not ignored, as it stands in the working tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def _configure(path: Path, place: str, tests: list[str]) -> None:
    """Tell mutmut what to mutate, and which tests to run."""
    config = configparser.ConfigParser()
    config.read(path)
    config["mutmut"]["only_mutate"] = f"kcl_flowlog/{place}" if place.endswith(".py") else f"kcl_flowlog/{place}/*"
    config["mutmut"]["pytest_add_cli_args_test_selection"] = "\n".join(["", *tests])
    with path.open("w") as file:
        config.write(file)


def _run_mutmut(copy: Path) -> None:
    """Run mutmut; its progress, a line that it writes again and again, is only for a terminal."""
    environment = {**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    progress = None if sys.stdout.isatty() else subprocess.PIPE
    command = [sys.executable, "-m", "mutmut", "run"]
    run = subprocess.run(command, cwd=copy, env=environment, stdout=progress, stderr=subprocess.STDOUT, check=False)
    if run.returncode:
        output = re.sub(r"[^\n]*\r", "", (run.stdout or b"").decode())
        raise SystemExit(f"mutmut exited with {run.returncode}:\n{output[-4000:]}")


def _report(copy: Path, place: str) -> Counter[str]:
    """Count the mutants by state, and write down what was changed in those that no test noticed."""
    from mutmut.configuration import reset_config
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    os.chdir(copy)
    reset_config()
    found: Counter[str] = Counter()
    lines = []
    for meta in sorted(Path("mutants").rglob("*.meta")):
        for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            state = STATES.get(code, f"ended with {code}")
            found[state] += 1
            if state != KILLED:
                source = meta.relative_to("mutants").with_suffix("")
                lines.append(f"# {state}: {name}\n{get_diff_for_mutant(name, path=source)}\n")
    os.chdir(ROOT)
    report = REPORTS / (place.replace("/", "-").removesuffix(".py") + ".txt")
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join(lines))
    print(f"Survivors of {place}: {report.relative_to(ROOT)}")
    return found


if __name__ == "__main__":
    sys.exit(main())
