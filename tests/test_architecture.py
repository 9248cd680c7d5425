"""The structure of the package: what may import what, and how long a module and a function may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

TOO_LARGE_FOR_EACH_SHARD = ("boto3", "botocore", "click", "h11", "jinja2", "logging", "prometheus_client", "yaml")
MODULES = sorted((ROOT / "kcl_flowlog").rglob("*.py"))
LONGEST_MODULE = 300
LONGEST_FUNCTION = 30
REASON = "long because"


def test_imports_keep_the_contracts_of_setup_cfg() -> None:
    """Layers, cycles and the homes of outside libraries are as setup.cfg says."""
    # In another process, as import-linter configures logging.
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"

    judged = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == judged.returncode, judged.stdout


def test_a_processor_loads_no_large_library() -> None:
    """A started processor has loaded none of the launcher's libraries, not even through another library."""
    assert [] == loaded_by("kcl_flowlog.processor.__main__", *TOO_LARGE_FOR_EACH_SHARD)


def test_the_web_server_starts_without_the_library_of_its_templates() -> None:
    """The first page that needs it imports it."""
    assert [] == loaded_by("kcl_flowlog.web.server", "jinja2")


def loaded_by(module: str, *libraries: str) -> list[str]:
    """Return those of the libraries that a new process has loaded after the import of a module."""
    program = f"import sys, {module}; print(*(name for name in sys.argv[1:] if name in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program, *libraries], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return loaded.stdout.split()


def test_modules_are_short() -> None:
    """No module of the package has more than 300 lines."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}

    assert {} == {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE}


def test_functions_are_short() -> None:
    """No function has more than 30 lines, unless a comment in it or above it says "long because"."""
    assert [] == [name for path in MODULES for name in long_functions(path)]


def long_functions(path: Path) -> Iterator[str]:
    """Yield the place and length of each long function that gives no reason."""
    text = path.read_text()
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            with_line_above = lines[node.lineno - 2 : node.end_lineno]
            has_reason = any(REASON in line.partition("#")[2] for line in with_line_above)
            if length > LONGEST_FUNCTION and not has_reason:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines"
