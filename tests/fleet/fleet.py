"""A fleet of real instances on one stream: its traffic, its totals, and what is left of it in the end."""

from __future__ import annotations

import contextlib
import random
import re
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
from botocore.exceptions import HTTPClientError

from kcl_flowlog.demo.envelopes import Envelope, put
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.tally import Sums, Tally, add_up
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.world_builder import WorldSpec, build_world
from tests.fleet.member import Member
from tests.fleet.scraper import Scraper
from tests.fleet.standins import StandIns
from tests.support.instance import command_of

# Seconds. For something that never happens; a busy machine must not reach it.
PATIENCE = 300.0

_RUN = "FLEET_RUN"
_SCRAPE_INTERVAL = 1.0
_UNITS = tuple(re.compile(rf"\b{unit}=(\d+)") for unit in Sums._fields)


class Fleet:
    """The stand-ins, the members, the producer and the scraper."""

    def __init__(self, standins: StandIns, directory: Path, instances: int, rate: float, seed: int) -> None:
        self.standins = standins
        self.kinesis = standins.client("kinesis")
        self._run_id = uuid.uuid4().hex
        self._earlier_directories = _temporary_directories()
        environ = {**standins.environment(), _RUN: self._run_id}
        self.world = build_world(standins.client, standins.region, WorldSpec(shards=4))
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=self.world.stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        self.members = [
            Member(f"i{number}", environ, self.world.stream, directory / f"i{number}") for number in range(instances)
        ]
        self.scraper = Scraper(
            lambda: [(member.name, member.instance.url) for member in self.members if member.instance.is_running],
            _SCRAPE_INTERVAL,
        )
        # Held while nothing may be put on the stream.
        self.putting = threading.Lock()
        traffic = Traffic(self.world, random.Random(seed))
        self.producer = Producer(self.world, traffic, self._put, rate=rate, pace=0.5)
        # The truth about what was put beside the producer.
        self._extra: list[Tally] = []

    def keep_running(self) -> None:
        """Restart members that have ended; fail if the producer or the scraper has failed."""
        for member in self.members:
            member.restart_if_ended()
        assert self.producer.failure is None, f"The producer failed: {self.producer.failure!r}"
        assert self.scraper.is_alive, "The scraper has died"

    def wait(self, is_true: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Keep the members running until `is_true` holds; tell whether it did within `seconds`."""
        deadline = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > deadline:
                return False
            self.keep_running()
            time.sleep(0.2)
        return True

    def pause(self, seconds: float) -> None:
        """Keep the members running for that many seconds."""
        self.wait(lambda: False, seconds)

    # The stream

    def _put(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        with self.putting:
            return put(self.kinesis, self.world.stream, envelopes)

    def put(self, envelope: Envelope) -> None:
        """Put one envelope beside the traffic of the producer."""
        self._extra += [accepted.tally for accepted in self._put([envelope])]

    def reconnect(self) -> None:
        """Open new connections to Kinesis and wait for an answer; it has closed the old ones while it was stopped."""
        self.kinesis = self.standins.client("kinesis")
        while True:
            with contextlib.suppress(HTTPClientError):
                self.kinesis.list_streams()
                return
            time.sleep(0.2)

    def _open_shards(self) -> list[dict[str, Any]]:
        shards = self.kinesis.list_shards(StreamName=self.world.stream)["Shards"]
        return [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]

    def reshard(self, rng: random.Random) -> str:
        """Split a shard or merge two; say which."""
        ranges = sorted(
            (
                int(shard["HashKeyRange"]["StartingHashKey"]),
                int(shard["HashKeyRange"]["EndingHashKey"]),
                shard["ShardId"],
            )
            for shard in self._open_shards()
        )
        stream = {"StreamName": self.world.stream}
        if len(ranges) > 2 and rng.random() < 0.5:
            place = rng.randrange(len(ranges) - 1)
            left, right = ranges[place][2], ranges[place + 1][2]
            self.kinesis.merge_shards(**stream, ShardToMerge=left, AdjacentShardToMerge=right)
            return f"merged {left[-4:]} and {right[-4:]}"
        first, last, shard_id = rng.choice(ranges)
        self.kinesis.split_shard(**stream, ShardToSplit=shard_id, NewStartingHashKey=str((first + last) // 2 + 1))
        return f"split {shard_id[-4:]}"

    # The counts

    def truth(self) -> Tally:
        """Return the truth about everything put on the stream."""
        return add_up([self.producer.tally(), *self._extra])

    def totals(self) -> Tally:
        """Return the totals of all ledgers, lost ledgers included."""
        return add_up(page.counted for page in self._pages_and_losses())

    def malformed(self) -> Counter[str]:
        """Return the bad data of all ledgers by reason, lost ledgers included."""
        return sum((page.malformed for page in self._pages_and_losses()), Counter())

    def undecided_sums(self) -> list[Sums]:
        """Return the size of each commit that the logs call undecided."""
        lines = [line for member in self.members for line in member.instance.log.splitlines() if "undecided" in line]
        found = [[unit.search(line) for unit in _UNITS] for line in lines]
        return [Sums(*(int(match[1]) for match in matches if match)) for matches in found if all(matches)]

    def flows_since(self, moment: float) -> bool:
        """Tell whether every open shard has been read up to a record that arrived after `moment` (Unix seconds)."""
        latest: dict[str, float] = {}
        for page in self._pages():
            for shard_id, arrived in page.last_record_at.items():
                latest[shard_id] = max(arrived, latest.get(shard_id, 0.0))
        return all(latest.get(shard["ShardId"], 0.0) > moment for shard in self._open_shards())

    def _pages(self) -> list[Page]:
        """Return the pages of all members that answer."""
        found = (member.instance.page() for member in self.members if member.instance.is_running)
        return [page for page in found if page is not None]

    def _pages_and_losses(self) -> list[Page]:
        return [*self._pages(), *(page for member in self.members for page in member.lost_totals)]

    # The end

    def leftovers(self, is_stopped: bool) -> list[str]:
        """Return what the run has left: the commands of its processes, and its temporary directories.

        After an orderly stop (`is_stopped`) that includes its sockets.
        """
        sockets = [str(path) for member in self.members for path in member.directory.rglob("*.sock")]
        commands = [command_of(process)[:120] for process in psutil.process_iter() if self._is_of_this_run(process)]
        directories = [str(path) for path in _temporary_directories() - self._earlier_directories]
        return (sockets if is_stopped else []) + commands + directories

    def _is_of_this_run(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(_RUN) == self._run_id
        except psutil.Error:
            return False

    def kill(self) -> None:
        """Kill all members, whatever state they are in."""
        for member in self.members:
            with contextlib.suppress(Exception):
                member.kill()

    def remove_disks(self) -> None:
        """Unmount the disks of all members; the state directories are lost."""
        for member in self.members:
            member.disk.remove()


def _temporary_directories() -> set[Path]:
    """Return the directories that the product makes for sockets whose path would be too long; not those of tests."""
    found = Path(tempfile.gettempdir()).glob("kcl-flowlog-*")
    return {path for path in found if not path.name.startswith(("kcl-flowlog-fleet-", "kcl-flowlog-demo-"))}
