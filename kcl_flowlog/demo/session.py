"""One run of the demo, from an empty AWS to the verdict.

`Session.run` starts the parts in order, shows what they do, compares what
was generated with what was counted, and stops everything, whatever happened.
Fails with `DemoError` when a part dies and `ConfigError` when an option can't
be used.
"""

from __future__ import annotations

import random
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kcl_flowlog.demo import world as worlds
from kcl_flowlog.demo.asked import AT_ONCE, FINISH, Asked
from kcl_flowlog.demo.aws import EmbeddedAWS
from kcl_flowlog.demo.envelopes import put
from kcl_flowlog.demo.errors import DemoError
from kcl_flowlog.demo.page import Page, read
from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.product import Product, environment, product_argv
from kcl_flowlog.demo.table import Display, LiveTable, PlainLines, Status
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.truth import Truth
from kcl_flowlog.demo.verdict import rows, sentence
from kcl_flowlog.demo.world import World
from kcl_flowlog.errors import ConfigError

EQUAL, DIFFERENT = 0, 1


@dataclass(frozen=True)
class Options:
    """What the user chose. `duration` is in seconds, None for no end; `rate` in flow records a second.

    `settle` is how long the last figures may take to arrive, and `confirm`
    how long they must then stay the same, looked at every `pace`; all in
    seconds.
    """

    duration: float | None = None
    table: bool = True
    rate: float = 300.0
    seed: int = 0
    port: int = 10514
    state_dir: Path | None = None
    deny: tuple[str, ...] = ()
    settle: float = 90.0
    confirm: float = 3.0
    pace: float = 0.5


class Session:
    """One run.

    `say` prints a line. `product` gives the command under demonstration for a
    stream, a state directory and a port; `build` makes the world.
    """

    def __init__(
        self,
        options: Options,
        say: Callable[[str], None],
        asked: Asked,
        product: Callable[[str, Path, int], list[str]] = product_argv,
        build: Callable[[Callable[[str], Any], str], World] = worlds.build,
    ) -> None:
        self._options = options
        self._say = say
        self._asked = asked
        self._product = product
        self._build = build
        self._begin = time.monotonic()

    def run(self) -> int:
        """Run the demo; return `EQUAL`, `DIFFERENT`, or 0 where it was stopped before it could compare."""
        with ExitStack() as stack:
            port = _usable_port(self._options.port)
            state_dir = self._state_dir(stack)
            aws = EmbeddedAWS(denied=self._options.deny)
            stack.callback(aws.stop)
            world = self._world(aws)
            if world is None:
                return EQUAL
            launcher = self._launcher(aws, world, state_dir, port)
            stack.callback(launcher.abandon)
            launcher.start()
            producer = self._producer(aws, world)
            stack.callback(producer.stop)
            producer.start()
            verdict = self._running(aws, world, launcher, producer, _url(port)).watch()
            self._say("Stopping kcl-flowlog; it makes its last checkpoints (Ctrl-C again hurries it) …")
            launcher.stop(hurry=lambda: self._asked.urgency >= AT_ONCE)
        self._say("Stopped; nothing is left running.")
        return verdict

    def _state_dir(self, stack: ExitStack) -> Path:
        """Return an empty directory for the product's state; a temporary one goes at the end."""
        chosen = self._options.state_dir
        if chosen is None:
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kcl-flowlog-demo-")))
        chosen.mkdir(parents=True, exist_ok=True)
        if any(chosen.iterdir()):
            raise ConfigError(
                f"--state-dir {chosen} is not empty: the demo's AWS starts empty, so the state has to as well."
            )
        return chosen

    def _world(self, aws: EmbeddedAWS) -> World | None:
        """Start AWS and build the world in it; return None if asked to stop meanwhile."""
        self._say("Starting an embedded AWS: EC2, Kinesis, DynamoDB and CloudWatch Logs …")
        for action in self._options.deny:
            self._say(f"It does not permit ec2:{action}.")
        aws.start()
        aws.wait_ready(lambda: self._asked.urgency >= FINISH)
        if self._asked.urgency:
            return None
        self._say("Building two VPCs with the same addresses, their flow logs and a Kinesis stream …")
        world = self._build(aws.client, aws.region)
        return None if self._asked.urgency else world

    def _launcher(self, aws: EmbeddedAWS, world: World, state_dir: Path, port: int) -> Product:
        log = state_dir / "kcl-flowlog.log"
        self._say(f"Starting kcl-flowlog; its metrics are at {_url(port)}, its log is {log}.")
        argv = self._product(world.stream, state_dir / "state", port)
        return Product(argv, environment(aws.environment()), log)

    def _producer(self, aws: EmbeddedAWS, world: World) -> Producer:
        self._say(f"Sending about {self._options.rate:g} flow records a second.")
        traffic = Traffic(world, random.Random(self._options.seed))  # noqa: S311 - it has to be repeatable
        return Producer(world, traffic, partial(put, aws.client("kinesis"), world.stream), self._options.rate)

    def _running(self, aws: EmbeddedAWS, world: World, launcher: Product, producer: Producer, url: str) -> Running:
        def check() -> None:
            aws.check()
            launcher.check()

        return Running(
            options=self._options,
            say=self._say,
            asked=self._asked,
            begin=self._begin,
            world=world,
            producer=producer,
            display=LiveTable(world, url) if self._options.table else PlainLines(self._say),
            look=partial(read, url),
            check=check,
        )


@dataclass
class Running:
    """The parts while all of them run; `look` reads the metrics page, `check` raises `DemoError` when one has died."""

    options: Options
    say: Callable[[str], None]
    asked: Asked
    begin: float
    world: World
    producer: Producer
    display: Display
    look: Callable[[], Page | None]
    check: Callable[[], None]

    def watch(self) -> int:
        """Show the traffic until the end, then compare; return the exit status."""
        with self.display:
            page = self._traffic()
            self.producer.stop()
            self._check()
            generated = self.producer.truth()
            stopped_early = bool(self.asked.urgency) and (page is None or not page.counted.traffic)
            enough = AT_ONCE if self.asked.urgency else FINISH
            if not stopped_early:
                page = self._settle(generated, enough) or page
        if stopped_early:
            self.say("Stopped before anything was counted, so there is nothing to compare.")
            return EQUAL
        return self._verdict(generated, (page or Page()).counted, cut_short=self.asked.urgency >= enough)

    def _verdict(self, generated: Truth, counted: Truth, *, cut_short: bool) -> int:
        self.display.final(rows(self.world, generated, counted))
        self.say(sentence(self.world, generated, counted))
        if counted != generated and cut_short:
            self.say("It was stopped before all could be counted, so a difference means nothing.")
            return EQUAL
        return EQUAL if counted == generated else DIFFERENT

    def _traffic(self) -> Page | None:
        """Show the running traffic until its time is over or the user asks to stop; return the last page."""
        end = float("inf") if self.options.duration is None else self.begin + self.options.duration
        page: Page | None = None
        while True:
            page = self._show("", self.producer.truth()) or page
            if self.asked.wait(min(1.0, max(0.0, end - time.monotonic()))) or time.monotonic() >= end:
                return page

    def _settle(self, generated: Truth, enough: int) -> Page | None:
        """Wait until the page shows what was generated and goes on to; return the last page.

        Ends as well when time is up, or when asked with the urgency `enough`.
        """
        deadline = time.monotonic() + self.options.settle
        phase = f"traffic stopped, waiting for the last checkpoint and new series (at most {self.options.settle:g} s)"
        equal_since: float | None = None
        page: Page | None = None
        while not self.asked.wait(self.options.pace, enough) and time.monotonic() < deadline:
            page = self._show(phase, generated) or page
            now = time.monotonic()
            if page is None or page.counted != generated:
                equal_since = None
            elif equal_since is None:
                equal_since = now
            elif now - equal_since >= self.options.confirm:
                break  # a record counted twice would have shown by now
        return page

    def _show(self, phase: str, generated: Truth) -> Page | None:
        """Read and show the page, and make sure that every part is alive."""
        self._check()
        page = self.look()
        self.display.show(Status(time.monotonic() - self.begin, page, generated, phase))
        return page

    def _check(self) -> None:
        self.check()
        if self.producer.failure is not None:
            raise DemoError(f"The traffic has stopped: {self.producer.failure}") from self.producer.failure


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/metrics"


def _usable_port(port: int) -> int:
    """Return `port`, or any free one for 0; raise `ConfigError` if it is taken."""
    try:
        with socket.create_server(("127.0.0.1", port)) as listener:
            chosen: int = listener.getsockname()[1]
            return chosen
    except OSError as error:
        raise ConfigError(
            f"Port {port} can't be used ({error.strerror}): choose another with --port, or any free one with --port 0."
        ) from error
