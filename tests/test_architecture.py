"""The shape of the package: what may import what."""

import subprocess
import sys
from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
TOO_DEAR_FOR_EACH_SHARD = ("boto3", "botocore", "cheroot", "click", "prometheus_client", "yaml")


def test_the_package_keeps_the_contracts_of_setup_cfg(monkeypatch, capsys):
    """Layers, siblings and the homes of outside libraries are as setup.cfg says."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path])

    exit_code = lint_imports(config_filename="setup.cfg", no_cache=True, no_logo=True)

    assert exit_code == 0, capsys.readouterr().out


def test_a_processor_that_runs_has_loaded_nothing_dear():
    """A started processor holds none of the launcher's libraries, not even by way of another library."""
    program = "import sys, kcl_flowlog.processor; print(*(name for name in sys.argv[1:] if name in sys.modules))"

    loaded = subprocess.run(
        [sys.executable, "-c", program, *TOO_DEAR_FOR_EACH_SHARD], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.split() == []
