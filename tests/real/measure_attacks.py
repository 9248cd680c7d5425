"""What scrapes of a running instance wait while other clients attack it: `python -m tests.real.measure_attacks`.

The real launcher, daemon and processors, with a page over TLS. Prints for each attack the longest and the median time
of a scrape on a new connection, and by how much the launcher's memory has grown; at the end, how long SIGTERM takes
under all attacks together. `nobody` tells what a scrape takes by itself, its rendering included.
"""

from __future__ import annotations

import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil

from tests.support.attackers import ATTACKS, Target
from tests.support.certificates import Authority
from tests.support.measured_scrapes import measure_scrapes
from tests.support.scenario import new_scenario
from tests.support.waiting import eventually
from tests.support.web import ServedElsewhere, get, trusting


def measure(name: str, listening: ServedElsewhere, context: ssl.SSLContext, memory: Callable[[], int]) -> None:
    """Print the line of an attack, or of its absence if no attack has that name."""

    def scrape() -> None:
        assert get(listening, context=context).status == 200

    before = memory()
    with ExitStack() as stack:
        for attack in ATTACKS.get(name, ()):
            attack(Target(listening, context, stack))
        print(f"{name:24} {measure_scrapes(scrape, memory, before)}", flush=True)


def main() -> None:
    """Measure all attacks on one instance."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        authority = Authority(directory)
        issued, context = authority.issue("server"), trusting(authority)
        config = directory / "web.yml"
        config.write_text(f"tls_server_config: {{cert_file: {issued.cert}, key_file: {issued.key}}}\n")
        with new_scenario(directory, ("--web.config.file", str(config))) as scenario:
            scenario.put(5000)
            scenario.instance.start()
            listening = ServedElsewhere(int(scenario.instance.url.split(":")[2].partition("/")[0]))

            def counts() -> bool:
                try:
                    return b"flowlog_shards_held 2" in get(listening, context=context).body
                except OSError:
                    return False

            assert eventually(counts, 300.0), scenario.instance.log
            launcher = psutil.Process(scenario.instance.processes()[0].pid)
            for kind in ("nobody", *ATTACKS):
                measure(kind, listening, context, lambda: launcher.memory_info().rss)
            with ExitStack() as stack:
                for attack in ATTACKS["all-together"]:
                    attack(Target(listening, context, stack))
                began = time.monotonic()
                code = scenario.instance.stop()
            print(f"SIGTERM under all of them: exit code {code} after {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
