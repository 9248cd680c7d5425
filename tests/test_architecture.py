"""The structure of the package: what may import what."""

import subprocess
import sys

from tests.support.paths import ROOT

TOO_LARGE_FOR_EACH_SHARD = ("boto3", "botocore", "cheroot", "click", "prometheus_client", "yaml")


def test_imports_keep_the_contracts_of_setup_cfg() -> None:
    """Layers, cycles and the homes of outside libraries are as setup.cfg says."""
    # In another process, as import-linter configures logging.
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"

    judged = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == judged.returncode, judged.stdout


def test_a_processor_loads_no_large_library() -> None:
    """A started processor has loaded none of the launcher's libraries, not even through another library."""
    program = (
        "import sys, kcl_flowlog.processor.__main__\nprint(*(name for name in sys.argv[1:] if name in sys.modules))"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", program, *TOO_LARGE_FOR_EACH_SHARD], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert [] == loaded.stdout.split()
