"""What the tests through the real MultiLangDaemon share: a world, an instance, and what has been put so far."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from kcl_flowlog.demo import world as worlds
from kcl_flowlog.demo.aws import EmbeddedAWS
from kcl_flowlog.demo.envelopes import Envelope, event_ids, pack, put
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.truth import Truth, total
from kcl_flowlog.demo.world import World, WorldSpec
from tests.support.balance import imbalances
from tests.support.instance import Instance


class Story:
    """A world, an instance on its stream, and the truth of all that was put."""

    def __init__(self, aws: EmbeddedAWS, world: World, instance: Instance) -> None:
        self.aws = aws
        self.world = world
        self.instance = instance
        self.traffic = Traffic(world, random.Random(7))
        self.ids = event_ids()
        self.truths: list[Truth] = []
        self._kinesis = aws.client("kinesis")

    def put(self, records: int) -> None:
        """Put the traffic of ten seconds at once."""
        self.put_envelopes(pack(self.traffic.step(int(time.time()), 10.0, records), self.world, self.ids))

    def put_envelopes(self, envelopes: Sequence[Envelope]) -> None:
        """Put envelopes, with what they count as."""
        self.truths += [envelope.truth for envelope in put(self._kinesis, self.world.stream, envelopes)]

    @contextmanager
    def putting(self) -> Iterator[None]:
        """Put traffic from a thread, for as long as the block lasts."""
        producer = Producer(
            self.world, self.traffic, partial(put, self._kinesis, self.world.stream), rate=300.0, pace=0.3
        )
        producer.start()
        try:
            yield
        finally:
            producer.stop()
            self.truths.append(producer.truth())
        assert producer.failure is None

    def counts_all(self) -> Page:
        """Wait until the metrics show what was put, look again a little later, and compare every figure."""
        truth = total(self.truths)
        self.instance.wait_for("equal figures", lambda page: page.counted == truth)
        time.sleep(3)
        page = self.instance.page()
        assert page is not None
        assert truth == page.counted
        flows = page.counted.sum_where(lambda key: True).flows
        counted = page.counted
        assert [] == imbalances(
            counted.events,
            counted.payloads,
            page.malformed,
            flows,
            sum(truth.events.values()),
            sum(truth.payloads.values()),
        )
        return page


@contextmanager
def telling(
    directory: Path, options: tuple[str, ...] = (), denied: tuple[str, ...] = (), spec: WorldSpec | None = None
) -> Iterator[Story]:
    """Start an AWS, build a world in it, and give a story with an instance that is not started yet."""
    with EmbeddedAWS(denied=denied) as aws:
        world = worlds.build(aws.client, aws.region, spec)
        instance = Instance(aws.environment(), world.stream, directory, options)
        try:
            yield Story(aws, world, instance)
        finally:
            instance.kill()
