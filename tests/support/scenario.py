"""The scene of a test through the real MultiLangDaemon: an AWS, an instance on its stream, and the expected counts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.envelopes import Envelope, event_ids, pack, put
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.producer import Producer, RecordSource
from kcl_flowlog.demo.tally import Tally, add_up
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.world import World
from kcl_flowlog.demo.world_builder import WorldSpec, build_world
from tests.support.balance import imbalances
from tests.support.instance import PAGE_TIMEOUT, Instance, is_alive
from tests.support.measuring import unmeasured
from tests.support.waiting import eventually

# Seconds; longer than the checkpoint interval. A record that was counted twice would show by then.
SECOND_LOOK = 3.0


class Account(Protocol):
    """An AWS on this machine: the embedded AWS, or the stand-ins of the fleet."""

    def client(self, service: str) -> Any:
        """Return a client of a service."""

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a program that uses this AWS."""


class Scenario:
    """A world, an instance on its stream, and the truth about everything put on the stream."""

    def __init__(self, aws: Account, world: World, instance: Instance, stack: ExitStack) -> None:
        self.aws = aws
        self.world = world
        self.instance = instance
        self._stack = stack
        self.traffic: RecordSource = Traffic(world, random.Random(7))
        self.ids = event_ids()
        self.truths: list[Tally] = []
        self._kinesis = aws.client("kinesis")

    def another_instance(
        self, directory: Path, options: tuple[str, ...] = (), stream: str = "", state: Path | None = None
    ) -> Instance:
        """Return another instance, not started yet, with its files in `directory`; it is killed at the end."""
        directory.mkdir()
        instance = Instance(self.aws.environment(), stream or self.world.stream, directory, options, state)
        self._stack.callback(instance.kill)
        return instance

    def put_with(self, kinesis: Any) -> None:
        """Put with another client from now on, on its stream of the same name."""
        self._kinesis = kinesis

    def put(self, records: int) -> None:
        """Put ten seconds of traffic with that many records."""
        self.put_envelopes(pack(self.traffic.step(int(time.time()), 10.0, records), self.world, self.ids))

    def put_envelopes(self, envelopes: Sequence[Envelope]) -> None:
        """Put envelopes, and expect the counts that they carry."""
        self.truths += [envelope.tally for envelope in put(self._kinesis, self.world.stream, envelopes)]

    @contextmanager
    def putting(self, rate: float = 300.0) -> Iterator[Producer]:
        """Put `rate` records per second from a thread while the block runs."""
        producer = Producer(self.world, self.traffic, partial(put, self._kinesis, self.world.stream), rate, pace=0.3)
        producer.start()
        try:
            yield producer
        finally:
            producer.stop()
            self.truths.append(producer.tally())
            # Also if the block failed: without a producer, nothing new can be counted.
            assert producer.failure is None, producer.failure

    def wait_for_shards(self) -> Page:
        """Wait until the instance holds both shards."""
        return self.instance.wait_for("held shards", lambda page: page.shards_held == 2)

    def wait_for_more_flows(self) -> Page:
        """Wait until the instance has committed further records."""
        before = flows(self.instance.wait_for("page", lambda page: True))
        return self.instance.wait_for("new flows", lambda page: flows(page) > before)

    @contextmanager
    def daemon_ends(self) -> Iterator[None]:
        """Wait at the end of the block until the daemon that ran before it has ended."""
        daemon = self.instance.daemon()
        assert daemon is not None
        yield
        assert eventually(lambda: not is_alive(daemon), PAGE_TIMEOUT), self.instance.log

    def verify_counts(self) -> Page:
        """Wait until the metrics equal the truth; check that they stay equal and that the books balance."""
        truth = add_up(self.truths)
        self.instance.wait_for("equal counts", lambda page: page.counted == truth)
        time.sleep(SECOND_LOOK)
        page = self.instance.wait_for("second look", lambda page: True)
        counted = page.counted
        assert truth == counted
        assert [] == imbalances(
            counted.events,
            counted.payloads,
            page.malformed,
            flows(page),
            sum(truth.events.values()),
            sum(truth.payloads.values()),
        )
        return page


def flows(page: Page) -> int:
    """Return the flows of all series of a page."""
    return page.counted.sum_where(lambda key: True).flows


@contextmanager
def new_scenario(
    directory: Path,
    options: tuple[str, ...] = (),
    denied: tuple[str, ...] = (),
    spec: WorldSpec | None = None,
    argv: tuple[str, ...] = (),
    prepare: Callable[[EmbeddedAWS, World], World] = lambda _, world: world,
) -> Iterator[Scenario]:
    """Start an AWS and build a world in it; yield a scenario with an instance that has not been started.

    `argv` is another server of the AWS, and `prepare` changes the world before the instance knows it.
    """
    with ExitStack() as stack:
        with unmeasured():
            aws = stack.enter_context(EmbeddedAWS(denied=denied, argv=argv))
        world = prepare(aws, build_world(aws.client, aws.region, spec))
        instance = Instance(aws.environment(), world.stream, directory, options)
        stack.callback(instance.kill)
        yield Scenario(aws, world, instance, stack)
