"""The shape of the package: what may import what."""

import subprocess
import sys

from tests.support.paths import ROOT

TOO_DEAR_FOR_EACH_SHARD = ("boto3", "botocore", "cheroot", "click", "prometheus_client", "yaml")


def test_the_package_keeps_the_contracts_of_setup_cfg():
    """Layers, siblings and the homes of outside libraries are as setup.cfg says."""
    # In a process of its own, as it configures logging for itself.
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"

    judged = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert judged.returncode == 0, judged.stdout


def test_a_processor_that_runs_has_loaded_nothing_dear():
    """A started processor holds none of the launcher's libraries, not even by way of another library."""
    program = "import sys, kcl_flowlog.processor.shard; print(*(name for name in sys.argv[1:] if name in sys.modules))"

    loaded = subprocess.run(
        [sys.executable, "-c", program, *TOO_DEAR_FOR_EACH_SHARD], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.split() == []
