"""The thread that keeps the traffic coming, and the truth about it.

Only what the stream accepted becomes truth. If a request fails so that nobody
knows whether it was stored, the thread ends and `failure` says why: from then
on no comparison would mean anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from kcl_flowlog.demo.envelopes import Envelope, control_message, event_ids, pack
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.truth import Truth
from kcl_flowlog.demo.world import World

_LONGEST_STEP = 5.0  # seconds: after a pause, go on rather than catch up in one burst


class Producer:
    """Puts about `rate` flow records a second, every `pace` seconds, until it is stopped.

    `put` puts envelopes and returns those accepted.
    """

    def __init__(
        self,
        world: World,
        traffic: Traffic,
        put: Callable[[Sequence[Envelope]], list[Envelope]],
        rate: float = 300.0,
        pace: float = 1.0,
        control_every: float = 30.0,
    ) -> None:
        self._world = world
        self._traffic = traffic
        self._put = put
        self._rate = rate
        self._pace = pace
        self._control_every = control_every
        self._ids = event_ids()
        self._truth = Truth()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)
        self.failure: Exception | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to stop and wait until the last request is answered. May be called twice."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def truth(self) -> Truth:
        """Return what has been accepted so far."""
        with self._lock:
            return self._truth.copy()

    def _run(self) -> None:
        try:
            self._produce()
        except Exception as error:  # noqa: BLE001 - whatever it is, the main thread has to tell
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
            if moment - last_control >= self._control_every:
                envelopes.append(control_message(now))
                last_control = moment
            self._settle(self._put(envelopes))

    def _settle(self, accepted: Sequence[Envelope]) -> None:
        with self._lock:
            for envelope in accepted:
                self._truth.merge(envelope.truth)
