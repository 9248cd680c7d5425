"""One instance of a fleet, and the orchestrator that keeps it running."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import psutil

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting import counts
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.tally import SeriesKey, Sums, Tally
from tests.fleet.gate import Gates
from tests.fleet.machine import Clock, Disk
from tests.fleet.stdout import Reader
from tests.support.instance import Instance

# Seconds. A new series shows 0 for this long: many scrape intervals, as a busy machine scrapes late.
NEWBORN_HOLD = 10
# Longer than any pause of a fault: after the pause, the same processes have to come back.
STUCK_AFTER = 75
LEDGER_PAGE = 4096
OPTIONS = (
    *("--newborn-hold", f"{NEWBORN_HOLD}s", "--final-scrape-timeout", "20s", "--inventory-interval", "20s"),
    *("--stuck-after", f"{STUCK_AFTER}s"),
    *("--java-options", "-Xmx160m -XX:TieredStopAtLevel=1", "--log.level", "info", "--log-deny"),
)


class Member:
    """An instance with its own disk, clock and gates; `restart_if_ended` does what an orchestrator does."""

    def __init__(
        self,
        name: str,
        environ: dict[str, str],
        gates: Gates,
        stream: str,
        directory: Path,
        options: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.gates = gates
        self.directory = directory
        directory.mkdir()
        self.disk = Disk(directory / "disk")
        self.clock = Clock(directory / "clock")
        self.stdout = Reader(directory / "stdout")
        self.instance = Instance(
            {**environ, **self.clock.environment()},
            stream,
            directory,
            (*OPTIONS, *options),
            self.disk.path / "state",
            self.stdout.open,
        )
        self.should_run = False
        self.restarts = 0
        # The totals of ledgers that a fault has removed or damaged.
        self.lost_totals: list[Page] = []

    def start(self) -> None:
        """Start the instance and keep it running from now on."""
        self.should_run = True
        self.instance.start()

    def restart_if_ended(self) -> None:
        """Start the instance again if it should run and has ended."""
        if self.should_run and not self.instance.is_running:
            self.restarts += 1
            self.instance.start()

    def request_stop(self) -> None:
        """Send SIGTERM, and don't start the instance again."""
        self.should_run = False
        self.instance.request_stop()

    def kill(self) -> None:
        """Kill the instance, and don't start it again."""
        self.should_run = False
        self.instance.kill()

    def url(self) -> str | None:
        """Return the URL of the metrics, or None if the instance does not run."""
        return self.instance.url if self.instance.is_running else None

    def is_up(self) -> bool:
        """Tell whether the instance answers and its daemon is initialised."""
        page = self.instance.page() if self.instance.is_running else None
        return page is not None and page.daemon_up

    def lose_state(self) -> None:
        """Remove the state directory, as the end of a container without a volume does."""
        self.lost_totals.append(self.ledger_totals())
        shutil.rmtree(self.instance.state)

    def damage_ledger(self, noise: bytes) -> None:
        """Overwrite the beginning of the ledger with `noise` and cut off its second half."""
        self.lost_totals.append(self.ledger_totals())
        path = self.instance.state / "ledger.sqlite3"
        content = path.read_bytes()
        path.write_bytes(noise + content[len(noise) : len(content) // 2])

    def damage_page(self, rng: random.Random) -> None:
        """Overwrite a random page of the ledger with noise."""
        path = self.instance.state / "ledger.sqlite3"
        with path.open("r+b") as file:
            file.seek(rng.randrange(path.stat().st_size // LEDGER_PAGE) * LEDGER_PAGE)
            file.write(rng.randbytes(LEDGER_PAGE))

    def prepared_commits(self) -> int:
        """Return how many commits of the ledger are not folded. The instance must not run."""
        with contextlib.closing(sqlite3.connect(self.instance.state / "ledger.sqlite3")) as ledger:
            number: int = ledger.execute("SELECT count(*) FROM prepared").fetchone()[0]
            return number

    def damaged_ledgers(self) -> set[Path]:
        """Return the damaged ledgers that the instance has kept."""
        return set(self.instance.state.glob("ledger.sqlite3.broken-*Z"))

    def ledger_totals(self) -> Page:
        """Return the totals in the ledger, in the form of a metrics page. The instance must not run."""
        truth, malformed = Tally(), Counter[str]()
        with Ledger(self.instance.state / "ledger.sqlite3") as ledger:
            totals = ledger.totals()
        for total in totals.traffic:
            truth.add_traffic(SeriesKey(*total.series[:5]), Sums(total.flows, total.packets, total.bytes))
        by_count = {counts.EVENTS: truth.events, counts.PAYLOADS: truth.payloads, counts.MALFORMED: malformed}
        for (count, label), number in totals.counts.items():
            if count in by_count:
                by_count[count][label] += number
        return Page(counted=truth, malformed=malformed)


def signal_all(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those processes that still exist."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
