"""The trust store of Java."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
from pathlib import Path

from kcl_flowlog.launcher.java import find_java
from kcl_flowlog.launcher.trust_store import jks
from tests.support.certificates import Authority


def test_java_reads_every_certificate(tmp_path: Path) -> None:
    """Java's own tool lists them, and finds the checksum right."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    certificates = [
        ssl.PEM_cert_to_DER_cert(Authority(tmp_path / name).cert.read_text("ascii")) for name in ("one", "two")
    ]
    store = tmp_path / "store"
    store.write_bytes(jks(certificates))
    keytool = Path(find_java("", os.environ).command).resolve().with_name("keytool")

    listed = subprocess.run(
        [keytool, "-list", "-rfc", "-keystore", store, "-storetype", "JKS", "-storepass", "changeit"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout

    blocks = re.findall(f"{ssl.PEM_HEADER}.*?{ssl.PEM_FOOTER}", listed, re.DOTALL)
    assert sorted(certificates) == sorted(map(ssl.PEM_cert_to_DER_cert, blocks))
