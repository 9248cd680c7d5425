"""The life of one instance: start to serve, keep the daemon running, stop in order.

A stop makes the last checkpoints first, then waits for Prometheus to see the result. What the instance can't repair
ends it with a `FlowlogError`. Knows its parts only by their methods; `kcl_flowlog.launcher.instance` builds them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kcl_flowlog.inventory.keeper import InventoryKeeper
from kcl_flowlog.launcher.beats import Beats
from kcl_flowlog.launcher.final_scrape import FinalScrape
from kcl_flowlog.launcher.housekeeping import Housekeeping
from kcl_flowlog.launcher.inbox import Inbox
from kcl_flowlog.launcher.leader_lock import LeaderLock
from kcl_flowlog.launcher.open_shards import OpenShards
from kcl_flowlog.launcher.own_shards import OwnShards
from kcl_flowlog.launcher.sampler import Sampler
from kcl_flowlog.launcher.signals import StopRequests
from kcl_flowlog.launcher.supervisor import Supervisor
from kcl_flowlog.launcher.thread_failures import ThreadFailures
from kcl_flowlog.launcher.watchdog import Watchdog
from kcl_flowlog.web.server import WebServer

if TYPE_CHECKING:
    from kcl_flowlog.launcher.who_keeper import WhoKeeper

log = logging.getLogger(__name__)

_TICK = 0.2
# The daemon needs this long on top of the grace that it gives the processors.
_STOP_MARGIN = 10.0


@dataclass(frozen=True, kw_only=True)
class MainLoop:
    """Drives the parts of one instance. `shutdown_grace` and `final_scrape_timeout` are in seconds."""

    inbox: Inbox
    web_server: WebServer
    inventory: InventoryKeeper
    supervisor: Supervisor
    watchdog: Watchdog
    housekeeping: Housekeeping
    own_shards: OwnShards
    open_shards: OpenShards
    who: WhoKeeper | None
    sampler: Sampler
    leader_lock: LeaderLock
    beats: Beats
    final_scrape: FinalScrape
    stop: StopRequests
    shutdown_grace: float
    final_scrape_timeout: float
    clock: Callable[[], float] = time.monotonic
    threads: ThreadFailures = field(default_factory=ThreadFailures)

    def start(self) -> None:
        """Give signs of life, settle what was left, and listen for processors and for scrapes. Raises `ConfigError`."""
        self.threads.watch()
        self.beats.start()
        self.inbox.start()
        self.housekeeping.begin()
        self.web_server.start()

    def run(self) -> None:
        """Count and serve until a stop is requested, then stop in order. Raises `FlowlogError`."""
        if not self.inventory.wait_for_inventory(self.stop.wait):
            return
        self.inventory.start()
        self.open_shards.start()
        self.sampler.start()
        if self.who is not None:
            self.who.start()
        log.info("Starting the KCL daemon; the first start takes up to a minute until shards are leased")
        try:
            while not self.stop.wait(_TICK):
                self.threads.check()
                self.beats.check()
                self.own_shards.step()
                self.supervisor.step()
                self.watchdog.step()
                self.housekeeping.step()
        except BaseException:
            self._end_daemon(lambda: True)
            raise
        self._stop_in_order()

    def close(self) -> None:
        """Leave nothing behind, whatever happened before."""
        self.supervisor.stop(lambda: True)
        self.beats.stop()
        self.inbox.stop()
        self.inventory.stop()
        self.open_shards.stop()
        self.sampler.stop()
        if self.who is not None:
            self.who.stop()
        self.web_server.stop()
        self.threads.stop()

    def _stop_in_order(self) -> None:
        log.info("Stopping; waiting for the last checkpoints")
        deadline = self.clock() + self.shutdown_grace + _STOP_MARGIN
        self._end_daemon(lambda: self.stop.wait(_TICK) or self.clock() > deadline)
        now = self.clock()
        self.housekeeping.finish(now + self.final_scrape_timeout / 2, self.stop.wait)
        self.final_scrape.wait_until(now + self.final_scrape_timeout)
        log.info("Stopped")

    def _end_daemon(self, is_over: Callable[[], bool]) -> None:
        self.supervisor.stop(is_over)
        # Another instance can lead at once, instead of after two minutes.
        self.leader_lock.release()
        self.beats.stop()
