"""The thread that sends traffic and tallies it.

It tallies only what the stream has accepted. If a request fails, nobody knows
whether its records are stored, and a comparison is meaningless. The thread then
ends, and `failure` holds the error.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from kcl_flowlog.demo.envelopes import Envelope, control_message, event_ids, pack
from kcl_flowlog.demo.records import Record
from kcl_flowlog.demo.tally import Tally
from kcl_flowlog.demo.world import World

_LONGEST_STEP = 5.0  # seconds: after a pause, continue at the normal rate instead of a burst


class RecordSource(Protocol):
    """Makes the flow records to send."""

    def step(self, now: int, seconds: float, wanted: int) -> list[Record]:
        """Return the records of the `seconds` before `now` (Unix seconds), at least `wanted`."""


class Producer:
    """Sends about `rate` flow records per second, in a request every `pace` seconds, until it is stopped.

    `put` sends envelopes and returns those that the stream accepted.
    """

    def __init__(
        self,
        world: World,
        traffic: RecordSource,
        put: Callable[[Sequence[Envelope]], list[Envelope]],
        rate: float = 300.0,
        pace: float = 1.0,
        control_interval: float = 30.0,
    ) -> None:
        self._world = world
        self._traffic = traffic
        self._put = put
        self._rate = rate
        self._pace = pace
        self._control_interval = control_interval
        self._ids = event_ids()
        self._truth = Tally()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)
        self.failure: Exception | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for its last request. A second call does nothing."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def tally(self) -> Tally:
        """Return what the stream has accepted so far."""
        with self._lock:
            return self._truth.copy()

    def _run(self) -> None:
        try:
            self._produce()
        except Exception as error:  # noqa: BLE001 - the main thread reports it, whatever it is
            self.failure = error

    def _produce(self) -> None:
        last = time.monotonic()
        last_control = float("-inf")
        while not self._stop.wait(self._pace):
            moment = time.monotonic()
            seconds = min(moment - last, _LONGEST_STEP)
            last = moment
            now = int(time.time())
            envelopes = pack(self._traffic.step(now, seconds, round(self._rate * seconds)), self._world, self._ids)
            if moment - last_control >= self._control_interval:
                envelopes.append(control_message(now))
                last_control = moment
            self._count(self._put(envelopes))

    def _count(self, accepted: Sequence[Envelope]) -> None:
        with self._lock:
            for envelope in accepted:
                self._truth.merge(envelope.tally)
