"""A fleet of real instances on one stream, what is put on it, and what is seen of it."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from botocore.exceptions import HTTPClientError

from kcl_flowlog.demo import world as worlds
from kcl_flowlog.demo.envelopes import Envelope, put
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.truth import Sums, Truth, total
from kcl_flowlog.demo.world import WorldSpec
from tests.fleet.machine import Clock, Disk
from tests.fleet.scraper import Scraper
from tests.fleet.standins import StandIns
from tests.support.instance import Instance

SCRAPE_INTERVAL = 1.0
# Longer than two scrapes and than a restart takes the other way round.
NEWBORN_HOLD = 4
STOP_PATIENCE = 90.0
# Longer than any zombie sleeps, which has to wake up as the owner that it was.
STUCK_AFTER = 75
OPTIONS = (
    *("--newborn-hold", f"{NEWBORN_HOLD}s", "--final-scrape-timeout", "20s", "--inventory-interval", "20s"),
    *("--stuck-after", f"{STUCK_AFTER}s"),
    *("--java-options", "-Xmx160m -XX:TieredStopAtLevel=1", "--log.level", "info"),
)


_UNDECIDED = re.compile(r"says: undecided.* flows=(\d+) packets=(\d+) bytes=(\d+)")


class Member:
    """One instance, and who keeps it running: an orchestrator that starts what ends by itself."""

    def __init__(self, name: str, environ: dict[str, str], stream: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        directory.mkdir()
        self.disk = Disk(directory / "disk")
        self.clock = Clock(directory / "clock")
        self.instance = Instance(
            {**environ, **self.clock.environment()}, stream, directory, OPTIONS, self.disk.path / "state"
        )
        self.wanted = False
        self.restarts = 0
        # What the ledgers said that were lost on purpose.
        self.before: list[Page] = []

    def start(self) -> None:
        self.wanted = True
        self.instance.start()

    def keep(self) -> None:
        """Start it again where it has ended unasked."""
        if self.wanted and not self.instance.is_running:
            self.restarts += 1
            self.instance.kill()
            self.instance.start()

    def stop(self) -> int:
        """Stop it as planned."""
        self.wanted = False
        return self.instance.stop()

    def lose_state(self) -> None:
        """Remove its state directory, as a container without a volume does."""
        shutil.rmtree(self.instance.state)

    def processors(self) -> list[int]:
        """Return the process ids of its processors."""
        return [pid for pid in self.instance.family() if b"kcl_flowlog.processor" in _command(pid)]

    def is_up(self) -> bool:
        """Say whether it answers, and its daemon is initialised."""
        page = self.instance.page() if self.instance.is_running else None
        return page is not None and page.daemon_up

    def daemon(self) -> int:
        """Return the process id of its daemon, 0 where there is none."""
        return next((pid for pid in self.instance.family() if b"MultiLangDaemon" in _command(pid)), 0)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Fleet:
    """The stand-ins, the members, the producer and the scraper."""

    def __init__(self, standins: StandIns, directory: Path, instances: int, rate: float, seed: int) -> None:
        self.standins = standins
        self.kinesis = standins.client("kinesis")
        self._run_id = uuid.uuid4().hex
        self._known = set(Path(tempfile.gettempdir()).glob("kcl-flowlog-*"))
        environ = {**standins.environment(), "FLEET_RUN": self._run_id}
        self.world = worlds.build(standins.client, standins.region, WorldSpec(shards=4))
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=self.world.stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        self.members = [
            Member(f"i{number}", environ, self.world.stream, directory / f"i{number}") for number in range(instances)
        ]
        self.scraper = Scraper(
            lambda: [(member.name, member.instance.url) for member in self.members if member.instance.is_running],
            SCRAPE_INTERVAL,
        )
        traffic = Traffic(self.world, random.Random(seed))
        # Held while Kinesis must not be put to.
        self.putting = threading.Lock()
        self.producer = Producer(self.world, traffic, self._put, rate=rate, pace=0.5)
        # Of what was put beside the producer.
        self._beside: list[Truth] = []

    def keep(self) -> None:
        """Do what an orchestrator does, and make sure that the producer lives."""
        for member in self.members:
            member.keep()
        assert self.producer.failure is None, f"The producer failed: {self.producer.failure!r}"
        assert self.scraper.is_alive, "The scraper has died"

    def wait(self, is_true: Callable[[], bool], seconds: float) -> bool:
        """Wait, and keep the members running meanwhile; say whether it came to be."""
        deadline = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > deadline:
                return False
            self.keep()
            time.sleep(0.2)
        return True

    def pages(self) -> list[Page]:
        """Return the pages of all members that answer."""
        found = (member.instance.page() for member in self.members if member.instance.is_running)
        return [page for page in found if page is not None]

    def _put(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        with self.putting:
            return put(self.kinesis, self.world.stream, envelopes)

    def reconnect(self) -> None:
        """Leave the connections to Kinesis for new ones, and wait until it answers: it has closed those meanwhile."""
        self.kinesis = self.standins.client("kinesis")
        while True:
            with contextlib.suppress(HTTPClientError):
                self.kinesis.list_streams()
                return
            time.sleep(0.2)

    def put(self, envelope: Envelope) -> None:
        """Put one envelope beside what the producer puts."""
        self._beside += [accepted.truth for accepted in self._put([envelope])]

    def truth(self) -> Truth:
        """Return all that was put."""
        return total([self.producer.truth(), *self._beside])

    def totals(self) -> Truth:
        """Return what all ledgers together say, also those that were lost."""
        return total(page.counted for page in self._all_pages())

    def malformed(self) -> Counter[str]:
        """Return bad data by reason, as all ledgers together say."""
        return sum((page.malformed for page in self._all_pages()), Counter())

    def _all_pages(self) -> list[Page]:
        return [*self.pages(), *(page for member in self.members for page in member.before)]

    def open_shards(self) -> set[str]:
        """Return the shards that records still arrive on."""
        shards = self.kinesis.list_shards(StreamName=self.world.stream)["Shards"]
        return {one["ShardId"] for one in shards if "EndingSequenceNumber" not in one["SequenceNumberRange"]}

    def flows_since(self, moment: float) -> bool:
        """Say whether every open shard has been read of records that arrived after a moment (Unix seconds)."""
        latest: dict[str, float] = {}
        for page in self.pages():
            for shard_id, at in page.last_record_at.items():
                latest[shard_id] = max(at, latest.get(shard_id, 0.0))
        return all(latest.get(shard_id, 0.0) > moment for shard_id in self.open_shards())

    def undecided_sums(self) -> list[Sums]:
        """Return how much each commit was that nobody could decide, as the logs name them."""
        logs = "".join(member.instance.log for member in self.members)
        return [Sums(*map(int, numbers)) for numbers in _UNDECIDED.findall(logs)]

    def left_over(self, is_stopped: bool) -> list[str]:
        """Return the commands of processes of this run that still are there, and temporary directories.

        After a stop in order no socket may be there either.
        """
        found = []
        if is_stopped:
            found += [str(path) for member in self.members for path in member.directory.rglob("*.sock")]
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and f"FLEET_RUN={self._run_id}".encode() in (entry / "environ").read_bytes():
                    found.append(_command(int(entry.name)).replace(b"\0", b" ").decode()[:120])
        # The directory of a socket whose path would have been too long; not those of the tests themselves.
        temporary = set(Path(tempfile.gettempdir()).glob("kcl-flowlog-*")) - self._known
        ours = ("kcl-flowlog-fleet-", "kcl-flowlog-demo-")
        return found + [str(path) for path in temporary if not path.name.startswith(ours)]

    def kill(self) -> None:
        """Leave nothing running, whatever happened before."""
        for member in self.members:
            member.wanted = False
            with contextlib.suppress(Exception):
                member.instance.kill()

    def remove_disks(self) -> None:
        """Take the disks away, and with them the state directories."""
        for member in self.members:
            member.disk.remove()

    def reshard(self, rng: random.Random) -> str:
        """Split a shard or merge two; say which."""
        shards = self.kinesis.list_shards(StreamName=self.world.stream)["Shards"]
        ranges = sorted(
            (int(one["HashKeyRange"]["StartingHashKey"]), int(one["HashKeyRange"]["EndingHashKey"]), one["ShardId"])
            for one in shards
            if "EndingSequenceNumber" not in one["SequenceNumberRange"]
        )
        stream = {"StreamName": self.world.stream}
        if len(ranges) > 2 and rng.random() < 0.5:
            place = rng.randrange(len(ranges) - 1)
            one, other = ranges[place][2], ranges[place + 1][2]
            self.kinesis.merge_shards(**stream, ShardToMerge=one, AdjacentShardToMerge=other)
            return f"merged {one[-4:]} and {other[-4:]}"
        first, last, shard_id = rng.choice(ranges)
        self.kinesis.split_shard(**stream, ShardToSplit=shard_id, NewStartingHashKey=str((first + last) // 2 + 1))
        return f"split {shard_id[-4:]}"


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def difference(truth: Truth, other: Truth) -> Sums:
    """Return by how much another truth is more, in all."""
    pair = [one.sum_where(lambda key: True) for one in (truth, other)]
    return Sums(*(b - a for a, b in zip(*pair, strict=True)))
