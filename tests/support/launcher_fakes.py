"""The parts of an instance as the others see them, without processes, sockets or AWS."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from kcl_flowlog.counting.subnets import Inventory, Subnet
from kcl_flowlog.exporter.state import FileSystem
from kcl_flowlog.inventory.coverage import Coverage
from kcl_flowlog.inventory.overlaps import Overlap
from kcl_flowlog.launcher.inbox import HeldShard

SUBNET = Subnet("subnet-a", "vpc-1", "az1", "10.0.1.0/24")
INVENTORY = Inventory(1.0, (SUBNET,))


class FakeInbox:
    """Holds the shards that the test gives it."""

    def __init__(self, *shards: HeldShard) -> None:
        self.held = list(shards)
        self.denials_error: OSError | None = None

    def shards(self) -> list[HeldShard]:
        return self.held


class FakeInventory:
    """Knows one subnet."""

    def __init__(self) -> None:
        self.current = INVENTORY
        self.overlaps: list[Overlap] = []
        self.coverage = Coverage((), ())
        self.refreshes: Counter[str] = Counter()
        self.has_inventory = True


class FakeDaemonState:
    """A daemon that is initialised."""

    def __init__(self) -> None:
        self.is_up = True
        self.restarts: Counter[str] = Counter()


class FakeOpenShards:
    """A stream with four open shards."""

    number: int | None = 4


class FakeFreeSpace:
    """A file system of which less than half is free."""

    found: FileSystem | None = FileSystem(1000, 400)

    def read(self) -> FileSystem | None:
        return self.found


class FakeOwnShards:
    """Shards that wait to be read: those that the test names."""

    def __init__(self) -> None:
        self.waiting: list[str] | None = []

    def unread(self) -> list[str] | None:
        return self.waiting


class FakeCredentials:
    """Credentials that never expire."""

    def __init__(self) -> None:
        self.refreshes: Counter[str] = Counter()
        self.expires_at = 0.0
        self.has_expired = False


class FakeSettler:
    """Counts how often it settled; the test decides whether the lease table answers."""

    def __init__(self) -> None:
        self.calls = 0
        self.does_answer = True

    def settle_left(self) -> bool:
        self.calls += 1
        return self.does_answer


class FakeWebServer:
    """A web server; the test decides when a scrape has been answered."""

    def __init__(self, scrapes_answered: int = 1) -> None:
        self.scrapes_answered = scrapes_answered
        self.awaited: list[threading.Event] = []

    def next_scrape(self) -> threading.Event:
        self.awaited.append(threading.Event())
        return self.awaited[-1]


class CallLog:
    """Stands for any object: notes the calls of its methods in `calls`, as `name.method`, and returns `answer`."""

    def __init__(self, name: str, calls: list[str], answer: Any = None, **attributes: Any) -> None:
        self._name = name
        self._calls = calls
        self._answer = answer
        self.__dict__.update(attributes)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*_: Any, **__: Any) -> Any:
            self._calls.append(f"{self._name}.{method}")
            return self._answer

        return call
