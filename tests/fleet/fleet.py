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

from kcl_flowlog.demo.envelopes import Envelope, event_ids, pack, put
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.tally import Sums, Tally, add_up
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.world_builder import WorldSpec, build_world
from tests.fleet.denials import Denied, denied_of, written
from tests.fleet.member import Member
from tests.fleet.scraper import Scraper
from tests.fleet.standins import StandIns
from tests.support.instance import command_of

# Seconds. For something that never happens; a busy machine must not reach it.
PATIENCE = 300.0
# Under traffic, every step of a commit comes within seconds; a member without shards never gets there.
STEP_PATIENCE = 30.0

_RUN = "FLEET_RUN"
_SCRAPE_INTERVAL = 1.0
_UNITS = tuple(re.compile(rf"\b{unit}=(\d+)") for unit in Sums._fields)


class Fleet:
    """The stand-ins, the members, the producer and the scraper."""

    def __init__(
        self,
        standins: StandIns,
        directory: Path,
        instances: int,
        rate: float,
        seed: int,
        options: tuple[str, ...] = (),
    ) -> None:
        self.standins = standins
        self.kinesis = standins.client("kinesis")
        self._run_id = uuid.uuid4().hex
        self._earlier_directories = _temporary_directories()
        self.world = build_world(standins.client, standins.region, WorldSpec(shards=4))
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=self.world.stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        self.members = [self._new_member(f"i{number}", directory, options) for number in range(instances)]
        self.scraper = Scraper({member.name: member.url for member in self.members}, _SCRAPE_INTERVAL)
        self._keeping = threading.Lock()
        # Held while nothing may be put on the stream.
        self.putting = threading.Lock()
        traffic = Traffic(self.world, random.Random(seed))
        self.producer = Producer(self.world, traffic, self._put, rate=rate, pace=0.5)
        # The truth about what was put beside the producer.
        self._extra: list[Tally] = []
        self._denied: set[Denied] = set()
        # Sums that may be counted or not: copies that another instance has read than the originals.
        self.doubtful: list[Sums] = []
        # What Prometheus can't have seen: totals that were lost before they were scraped.
        self.unseen: list[Tally] = []
        self._extra_traffic = Traffic(self.world, random.Random(-seed))
        self._extra_ids = event_ids()

    def _new_member(self, name: str, directory: Path, options: tuple[str, ...]) -> Member:
        gates = self.standins.new_gates()
        environ = {**self.standins.environment(gates), _RUN: self._run_id}
        return Member(name, environ, gates, self.world.stream, directory / name, options)

    def keep_running(self) -> None:
        """Restart members that have ended; fail if the producer or the scraper has failed."""
        with self._keeping:
            for member in self.members:
                member.restart_if_ended()
        assert self.producer.failure is None, f"The producer failed: {self.producer.failure!r}"
        assert self.scraper.is_alive, "The scraper has died"

    def restart_stopped(self) -> None:
        """Start the members that a fault has stopped and not started again."""
        for member in self.members:
            if not member.should_run:
                member.kill()
                member.start()

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
            accepted = put(self.kinesis, self.world.stream, envelopes)
        self._denied.update(denied_of(accepted))
        return accepted

    def put(self, envelope: Envelope) -> None:
        """Put one envelope beside the traffic of the producer."""
        self._extra += [accepted.tally for accepted in self._put([envelope])]

    def new_envelopes(self, records: int) -> list[Envelope]:
        """Return envelopes of further traffic, with about that many records."""
        return pack(self._extra_traffic.step(int(time.time()), 1.0, records), self.world, self._extra_ids)

    def put_on_shard(self, envelope: Envelope) -> str:
        """Put one envelope, which counts as nothing until `expect`; return its shard."""
        record = {"Data": envelope.data, "PartitionKey": envelope.log_stream}
        with self.putting:
            answer = self.kinesis.put_record(StreamName=self.world.stream, **record)
        self._denied.update(denied_of([envelope]))
        return str(answer["ShardId"])

    def expect(self, tally: Tally) -> None:
        """Add to the truth."""
        self._extra.append(tally)

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

    def missing_denials(self) -> set[Denied]:
        """Return the rejected flows that no member has written."""
        missing = set(self._denied)
        for member in self.members:
            missing -= written(member.stdout.text())
        return missing

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

    def holders(self) -> dict[str, str]:
        """Return by shard the member that has read it last."""
        latest: dict[str, tuple[float, str]] = {}
        for member in self.members:
            page = member.instance.page() if member.instance.is_running else None
            for shard_id, arrived in page.last_record_at.items() if page else ():
                latest[shard_id] = max((arrived, member.name), latest.get(shard_id, (0.0, "")))
        return {shard_id: name for shard_id, (_, name) in latest.items()}

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


def difference(more: Tally, less: Tally) -> Tally:
    """Return the traffic of `more` that is not in `less`."""
    result = Tally()
    for key, sums in more.traffic.items():
        known = less.traffic.get(key, Sums())
        result.add_traffic(key, Sums(*(a - b for a, b in zip(sums, known, strict=True))))
    return result


def _temporary_directories() -> set[Path]:
    """Return the directories that the product makes for sockets whose path would be too long; not those of tests."""
    found = Path(tempfile.gettempdir()).glob("kcl-flowlog-*")
    return {path for path in found if not path.name.startswith(("kcl-flowlog-fleet-", "kcl-flowlog-demo-"))}
