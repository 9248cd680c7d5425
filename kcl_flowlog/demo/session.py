"""A run of the demo, from an empty AWS to the comparison.

`Session.run` starts the parts in order, and stops all of them, whatever happens.
Raises `DemoError` if a part dies, and `ConfigError` if an option is unusable.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kcl_flowlog.demo.display import Display, LiveScreen, PlainLines
from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.envelopes import put
from kcl_flowlog.demo.monitor import EQUAL, Monitor, Times
from kcl_flowlog.demo.page import read
from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.product import Product, environment, product_argv
from kcl_flowlog.demo.stop_request import StopRequest, Urgency
from kcl_flowlog.demo.story import FIRST_EVENT, LENGTH, StoryClock, titles_from
from kcl_flowlog.demo.story_traffic import StoryTraffic
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.world import World
from kcl_flowlog.demo.world_builder import build_world
from kcl_flowlog.errors import ConfigError


@dataclass(frozen=True)
class Options:
    """The choices of the user.

    `has_screen` chooses the screen instead of plain lines; `width` is the width of
    the terminal for plain lines, or None. `rate` is in flow records per second.
    `story` has the traffic tell the story.
    """

    times: Times = field(default_factory=Times)
    has_screen: bool = True
    width: int | None = None
    rate: float = 300.0
    seed: int = 0
    port: int = 10514
    state_dir: Path | None = None
    deny: tuple[str, ...] = ()
    story: bool = False


class Session:
    """A run of the demo.

    `say` prints a line. `product` returns the command of the product for a stream,
    a state directory and a port; `build` makes the world, in the AWS of `aws`.
    """

    def __init__(
        self,
        options: Options,
        say: Callable[[str], None],
        stop_request: StopRequest,
        product: Callable[[str, Path, int], list[str]] = product_argv,
        build: Callable[[Callable[[str], Any], str], World] = build_world,
        aws: Callable[..., EmbeddedAWS] = EmbeddedAWS,
    ) -> None:
        self._options = options
        self._say = say
        self._stop_request = stop_request
        self._product_argv = product
        self._build = build
        self._make_aws = aws
        self._story = StoryClock() if options.story else None

    def run(self) -> int:
        """Run the demo; return `EQUAL`, `DIFFERENT`, or 0 if the user stops it before there is a comparison."""
        begin = time.monotonic()
        self._check_duration()
        with ExitStack() as stack:
            port = usable_port(self._options.port)
            state_dir = self._state_dir(stack)
            aws = self._make_aws(denied=self._options.deny)
            stack.callback(aws.stop)
            world = self._start_aws(aws)
            if world is None:
                self._say("Stopped before kcl-flowlog started, so there is nothing to compare.")
                return EQUAL
            product = self._product(aws, world, state_dir, port)
            stack.callback(product.clean_up)
            product.start()
            producer = self._producer(aws, world)
            stack.callback(producer.stop)
            producer.start()
            status = self._monitor(aws, world, product, producer, port, begin).run()
            self._say("Stopping kcl-flowlog (Ctrl-C again: at once) …")
            product.stop(in_a_hurry=lambda: self._stop_request.urgency >= Urgency.AT_ONCE)
        self._say("Stopped; nothing is left running.")
        return status

    def _check_duration(self) -> None:
        """Say which acts of the story can't begin within the duration; refuse a duration that leaves none."""
        duration = self._options.times.duration
        if duration is None or self._story is None:
            return
        if duration <= FIRST_EVENT:
            raise ConfigError(
                f"--duration {duration:g} s leaves nothing of the story, in which something happens from second"
                f" {FIRST_EVENT} on; leave --duration out, and the demo ends with the story."
            )
        if missed := titles_from(duration):
            self._say(
                f"The story is cut short: with --duration {duration:g} s these acts can't begin: {missed}."
                f" All of it takes {LENGTH} s, once kcl-flowlog counts."
            )

    def _state_dir(self, stack: ExitStack) -> Path:
        """Return an empty directory for the state; a temporary directory is removed at the end."""
        chosen = self._options.state_dir
        if chosen is None:
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kcl-flowlog-demo-")))
        chosen.mkdir(parents=True, exist_ok=True)
        if any(chosen.iterdir()):
            raise ConfigError(
                f"--state-dir {chosen} is not empty, but the demo's AWS starts empty; choose an empty directory."
            )
        return chosen

    def _start_aws(self, aws: EmbeddedAWS) -> World | None:
        """Start AWS and build the world in it; return None if the user stops the demo."""
        self._say("Starting an embedded AWS …")
        for action in self._options.deny:
            self._say(f"The embedded AWS refuses ec2:{action}.")
        aws.start()
        aws.wait_ready(self._should_stop)
        if self._should_stop():
            return None
        self._say("Making two VPCs, their flow logs and a Kinesis stream …")
        world = self._build(aws.client, aws.region)
        return None if self._should_stop() else world

    def _should_stop(self) -> bool:
        return self._stop_request.urgency > Urgency.NONE

    def _product(self, aws: EmbeddedAWS, world: World, state_dir: Path, port: int) -> Product:
        log = state_dir / "kcl-flowlog.log"
        self._say("Starting kcl-flowlog.")
        self._say(f"  Metrics: {_url(port)}")
        self._say(f"  Log: {log}")
        for line in _scrape_config(port):
            self._say(line)
        argv = self._product_argv(world.stream, state_dir / "state", port)
        return Product(argv, environment(aws.environment()), log)

    def _producer(self, aws: EmbeddedAWS, world: World) -> Producer:
        self._say(f"Sending about {self._options.rate:g} flow records per second.")
        rng = random.Random(self._options.seed)  # noqa: S311 - it has to be repeatable
        story = self._story
        traffic = Traffic(world, rng) if story is None else StoryTraffic(world, rng, lambda: story.second)
        return Producer(world, traffic, partial(put, aws.client("kinesis"), world.stream), self._options.rate)

    def _monitor(
        self, aws: EmbeddedAWS, world: World, product: Product, producer: Producer, port: int, begin: float
    ) -> Monitor:
        def check() -> None:
            aws.check()
            product.check()

        return Monitor(
            world=world,
            producer=producer,
            display=self._display(world, port),
            read_page=partial(read, _url(port)),
            check=check,
            say=self._say,
            stop_request=self._stop_request,
            times=self._options.times,
            begin=begin,
            story=self._story,
        )

    def _display(self, world: World, port: int) -> Display:
        if self._options.has_screen:
            return LiveScreen(world, _url(port))
        return PlainLines(self._say, width=self._options.width)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/metrics"


def _scrape_config(port: int) -> list[str]:
    """Return how to have a Prometheus scrape the demo."""
    return [
        "  For Prometheus, under scrape_configs:",
        "    - job_name: kcl-flowlog",
        "      static_configs:",
        f'        - targets: ["127.0.0.1:{port}"]',
    ]


def usable_port(port: int) -> int:
    """Return `port`, or a free port for 0; raise `ConfigError` if it is taken."""
    try:
        with socket.create_server(("127.0.0.1", port)) as listener:
            chosen: int = listener.getsockname()[1]
            return chosen
    except OSError as error:
        reason = os.strerror(error.errno or 0)  # error.strerror repeats the address
        raise ConfigError(
            f"Can't use port {port} ({reason}); choose another with --port, or any free port with --port 0."
        ) from error
