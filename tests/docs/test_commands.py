"""Every command on a page says how it is tested, and what needs no other place is tried here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kcl_flowlog.setting import ENVIRONMENT_PREFIX
from tests.support.commands import PROGRAMS, how, is_done_by_ci, targets, wrong, wrong_in_text
from tests.support.pages import PAGES, Block, all_blocks, prose, words
from tests.support.paths import ROOT

BLOCKS = all_blocks()
SHELL = [block for block in BLOCKS if block.is_shell]
COMMANDS = [(block, command) for block in SHELL for command in block.commands()]


def place(value: object) -> str | None:
    """Return the name of a case."""
    return value.place if isinstance(value, Block) else None


def test_a_block_with_commands_is_marked_as_shell() -> None:
    """Else no test would see them."""
    hidden = [
        (block.place, line)
        for block in BLOCKS
        if not block.is_shell
        for line in block.text.splitlines()
        if line.startswith(tuple(f"{program} " for program in PROGRAMS))
    ]

    assert [] == hidden


def test_no_block_is_indented() -> None:
    """A list with a block inside is one paragraph on the site."""
    assert [] == [block.place for block in BLOCKS if block.indent]


@pytest.mark.parametrize("block", SHELL, ids=place)
def test_each_block_says_how_it_is_tested(block: Block) -> None:
    assert how(block), f"{block.place}: <!-- tested: … --> is missing or unknown; see tests/support/commands.py"


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=place)
def test_programs_targets_files_and_options_exist(block: Block, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        monkeypatch.delenv(name)

    assert "" == wrong(command)


@pytest.mark.parametrize(
    ("expected", "command"),
    [
        ("No such option", "kcl-flowlog run --steam flow-logs"),
        ("No stream: name the Kinesis stream with --stream NAME or KCL_FLOWLOG_STREAM.", "kcl-flowlog run"),
        ("kcl-flowlog runn is no command", "kcl-flowlog runn"),
        ("make has no target chekc", "make chekc"),
        ("run.py has no --sed", "make simulate ARGS='--sed 5'"),
        ("--stroy", "make demo ARGS=--stroy"),
        ("stream.py has no --shrds", "python benchmarks/stream.py --shrds 4"),
        ("--shard", "true | aws kinesis create-stream --stream-name a --shard 4"),
    ],
)
def test_a_mistake_is_found(expected: str, command: str) -> None:
    assert expected in wrong(command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_a_sentence_have_targets_and_options_that_exist(page: Path) -> None:
    commands = re.findall(r"`((?:make|kcl-flowlog) [^`\n]+)`", prose(page))
    found = {command: wrong_in_text(command) for command in commands}

    assert {} == {command: text for command, text in found.items() if text}


@pytest.mark.parametrize("block", [block for block in SHELL if block.tested == "make"], ids=place)
def test_what_ci_makes_is_made_by_ci(block: Block) -> None:
    made = [target for command in block.commands() for target in targets(words(command)[0])]

    assert [] == [target for target in made if not is_done_by_ci(target)]


@pytest.mark.parametrize("block", [block for block in SHELL if block.tested == "parse"], ids=place)
def test_what_is_only_parsed_is_the_products(block: Block) -> None:
    assert {"kcl-flowlog"} == {words(command)[0][0] for command in block.commands()}


@pytest.mark.parametrize("page", sorted({block.page for block in SHELL if block.tested == "run"}))
def test_blocks_that_can_run_here_give_what_the_page_shows(page: str, tmp_path: Path) -> None:
    """All blocks of a page, in turn, in one directory."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in (block for block in SHELL if (block.page, block.tested) == (page, "run")):
        shown = "" if block.language else "".join(f"{line}\n" for line in block.text.splitlines() if line[:2] != "$ ")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(block.commands())],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

        assert (0, shown) == (done.returncode, done.stdout), f"{block.place}: {done.stderr}"
