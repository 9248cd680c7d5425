"""Checks of a command on a page that need nothing but this machine, by the program that it calls.

Each check takes the words of a command and returns what is wrong, or an empty text.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import textwrap
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import click
from botocore import xform_name
from botocore.loaders import Loader

from kcl_flowlog.cli import cli
from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.options import config_of
from tests.support.pages import Block, all_blocks, words
from tests.support.paths import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
# What CI does in other words, by the target that a developer uses.
DONE_BY = {"check": ("lint", "test"), "dist": ("dist-test",), "help": ("lint",)}
# Commands of the AWS command line that are no operations of a service.
AWS_OWN = {
    "logs tail": set[str](),
    "cloudformation deploy": {
        "--stack-name",
        "--template-file",
        "--capabilities",
        "--parameter-overrides",
    },
}
AWS_GLOBAL = {"--cli-input-json", "--region", "--output", "--query"}
ELLIPSIS = "…"
KINDS = {
    "run": "`tests/docs` runs it, and compares its output.",
    "parse": "`tests/docs` parses it with the product's own parser.",
    "make": "CI runs it.",
    "generated": "`tests/test_docs.py` runs it, and compares its output.",
    "embedded AWS": "`make dist-test` runs it against the embedded AWS.",
    "fresh machine": "`make dist-test` runs it on a machine without the product.",
}
NEEDS = {
    "a cluster": "Needs a cluster.",
    "a release": "Needs a release; `make dist-test` installs the wheel that it has built.",
    "AWS": "Needs AWS; `tests/docs` compares its options with AWS' own model.",
    "Docker": "Needs Docker; `tests/deploy` checks the files.",
    "minutes": "Needs minutes or hours; `tests/docs` checks targets, files and options.",
    "the repository": "Needs the repository on the web.",
}


def how(block: Block) -> str:
    """Return how a block is tested, as a sentence, or an empty text if it does not say so in a known way."""
    kind, _, rest = block.tested.partition(", ")
    if kind.startswith("needs "):
        return NEEDS.get(kind.removeprefix("needs "), "")
    return KINDS.get(kind, "") if not rest or kind == "embedded AWS" else ""


def commands_table() -> str:
    """Return the table of all commands on the pages."""
    lines = ["| page | command | how it is tested |", "| --- | --- | --- |"]
    for block in all_blocks():
        page = block.page if block.page.startswith("deploy") else block.page.removeprefix("docs/")
        link = f"[{page}]({page})" if block.page.startswith("docs/") else f"[{page}](../{page})"
        for command in block.commands():
            shown = re.sub(r" *\\\n *", " ", re.sub(r" +# .*", "", command)).partition("\n")[0]
            shown = textwrap.shorten(shown, 150, placeholder=" …").replace("|", "\\|")
            lines.append(f"| {link} | `{shown}` | {how(block)} |")
    return "\n".join(lines)


def wrong(command: str) -> str:
    """Return what is wrong with a command, or an empty text."""
    found = (CHECKS.get(program[0], _unchecked)(program) for program in words(command))
    return "; ".join(text for text in found if text)


def targets(program: Sequence[str]) -> list[str]:
    """Return the targets of a call of make."""
    return [word for word in program[1:] if "=" not in word]


def is_done_by_ci(target: str) -> bool:
    """Tell whether CI makes a target, or what it stands for."""
    return all(re.search(rf"^make {name}\b", CI, re.MULTILINE) for name in DONE_BY.get(target, (target,)))


def wrong_in_text(command: str) -> str:
    """Return what is wrong with a command in a sentence, which may leave out what the sentence does not need."""
    name, *arguments = shlex.split(command)
    if name == "make":
        return _make([name, *(word for word in arguments if not word.startswith(ELLIPSIS))])
    with click.Context(cli, info_name=name) as parent:
        found = cli.get_command(parent, arguments[0])
        known = {flag for param in (found or cli).params for flag in (*param.opts, *param.secondary_opts)} | {"--help"}
    flags = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    return ", ".join(sorted(flags - known)) or ("" if found or arguments[0].startswith("-") else "no such command")


def _unchecked(program: Sequence[str]) -> str:
    return ""


def _flowlog(program: Sequence[str]) -> str:
    name, *arguments = (word for word in program[1:] if word != ELLIPSIS)
    if "--config.file" in arguments:
        place = arguments.index("--config.file")
        del arguments[place : place + 2]
    with click.Context(cli, info_name="kcl-flowlog") as parent:
        if any(name in param.opts for param in cli.get_params(parent)):
            return ""
        command = cli.get_command(parent, name)
        if command is None:
            return f"kcl-flowlog {name} is no command"
        # Files that a reader has are not here.
        for param in command.params:
            if isinstance(param.type, click.Path):
                param.type = click.Path(path_type=param.type.type)
        try:
            context = command.make_context(name, arguments, parent)
            if name in ("run", "check") and ELLIPSIS not in program:
                config_of({key: context.params.get(key) for key in context.params if key not in ("shards", "output")})
        except (click.ClickException, FlowlogError) as error:
            return f"{error}"
    return ""


def _make(program: Sequence[str]) -> str:
    known = re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, re.MULTILINE)
    missing = [f"make has no target {target}" for target in targets(program) if target not in known]
    given = [word.partition("=")[2] for word in program[1:] if word.startswith(("ARGS=", "STREAM="))]
    flags = re.findall(r"--[\w-]+", " ".join(given))
    if flags and not missing:
        recipe = re.search(rf"^{targets(program)[0]}:(?!.*export).*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
        called = re.findall(r"\$\(BIN\)/(python|kcl-flowlog) (.*)", recipe[1] if recipe else "")
        if not called:
            return ""
        name, arguments = called[-1][0], called[-1][1].split()
        if name == "kcl-flowlog":
            return wrong_in_text(shlex.join([name, arguments[0], *flags]))
        return _flags_missing(_source(arguments), flags)
    return "; ".join(missing)


def _python(program: Sequence[str]) -> str:
    path = _source(program[1:])
    if not path.exists():
        return f"{path} is not there"
    return _flags_missing(path, [word for word in program if word.startswith("--")])


def _source(arguments: Sequence[str]) -> Path:
    """Return the file that `python` runs with these arguments."""
    if arguments[0] != "-m":
        return ROOT / arguments[0]
    spec = importlib.util.find_spec(arguments[1])
    return Path(spec.origin if spec and spec.origin else arguments[1])


def _flags_missing(path: Path, flags: Sequence[str]) -> str:
    text = path.read_text(encoding="utf-8")
    return ", ".join(f"{path.name} has no {flag}" for flag in flags if f'"{flag}"' not in text)


def _aws(program: Sequence[str]) -> str:
    service, operation = program[1:3]
    flags = {word for word in program if word.startswith("--")} - AWS_GLOBAL
    known = AWS_OWN.get(f"{service} {operation}")
    return ", ".join(sorted(flags - (_members(service, operation) if known is None else known)))


@cache
def _members(service: str, operation: str) -> set[str]:
    """Return the options that AWS' model has for an operation."""
    model = Loader().load_service_model(service, "service-2")
    shapes = {xform_name(name, "-"): each["input"]["shape"] for name, each in model["operations"].items()}
    return {f"--{xform_name(member, '-')}" for member in model["shapes"][shapes[operation]]["members"]}


CHECKS: dict[str, Callable[[Sequence[str]], str]] = {
    "kcl-flowlog": _flowlog,
    "make": _make,
    "python": _python,
    ".venv/bin/python": _python,
    "aws": _aws,
}
PROGRAMS = (*CHECKS, "curl", "docker", "git", "helm", "kubectl", "pip", "systemctl")
