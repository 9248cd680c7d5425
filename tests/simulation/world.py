"""What all instances of a simulation share: DynamoDB, the clock, files, and settings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from kcl_flowlog.commits.claims import LeaseRow, claims_of
from kcl_flowlog.counting.inventory_packing import pack
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.subnets import Interface, Inventory, Subnet
from kcl_flowlog.launcher.leases import CLAIMS
from kcl_flowlog.launcher.state_directory import StateDirectory
from tests.simulation.databases import Databases, SimulatedLedger, Undecided
from tests.simulation.dynamodb import DynamoDb
from tests.simulation.kcl import TABLE

_INVENTORY = Inventory(
    1.0,
    (Subnet("subnet-a", "vpc-1", "az1", "10.0.1.0/24"),),
    (Interface("eni-a", "subnet-a", "vpc-1", ("10.0.1.10",)),),
)
# A row keeps up to 16 claims, fewer if they name records.
_CLAIMS_OF_A_FULL_ROW = 12


class SimulatedDirectory(StateDirectory):
    """A state directory without its lock: only one launcher of a directory runs at a time anyway."""

    def __init__(self, path: Path, lock: str) -> None:
        super().__init__(path)
        self._lock_text = lock

    def lock_identity(self) -> str:
        return self._lock_text


class World:
    """What launchers share: DynamoDB, the clock, files, and settings."""

    def __init__(self, folder: Path, databases: Databases, initial_position: str, checkpoint_interval: float) -> None:
        self.folder = folder
        self.databases = databases
        self.dynamodb = DynamoDb()
        self.initial_position = initial_position
        self.checkpoint_interval = checkpoint_interval
        self.now = 1_700_000_000.0
        # By the name of an instance, how far its wall clock is from the true time.
        self.leaps: dict[str, float] = {}
        self.undecided: list[int] = []
        # What is undecided without any of the reasons that docs/guarantees.md names.
        self.unexplained: list[str] = []
        # The sequence numbers of records that were skipped, as if they had killed their processors.
        self.skipped: set[int] = set()
        # The ledgers, by their numbers, that have read each shard.
        self.readers: dict[str, set[int]] = {}
        self.when_time_has_passed: Callable[[], None] = lambda: None
        self.inventory = folder / "inventory.packed"
        if not self.inventory.exists():
            self.inventory.write_bytes(pack(_INVENTORY))
        self._locks: dict[Path, int] = {}
        self._made = 0

    def clock(self) -> float:
        """Return the true time; each instance's wall clock is this and its leaps."""
        return self.now

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with what instances do at their times."""
        self.now += seconds
        self.when_time_has_passed()

    def directory(self, path: Path) -> SimulatedDirectory:
        """Return the state directory at `path`; its lock is the same until the directory is replaced."""
        if path not in self._locks:
            self._made += 1
            self._locks[path] = self._made
        return SimulatedDirectory(path, str(self._locks[path]))

    def open_ledger(self, path: Path) -> SimulatedLedger:
        """Return the ledger at `path`, which no launcher uses now."""
        return SimulatedLedger(path, self.clock, self.note_undecided)

    def copy_directory(self, source: Path, target: Path) -> None:
        """Make `target` a copy of a state directory, as of now."""
        self.remove_directory(target)
        shutil.copytree(source, target)
        self.databases.copy(StateDirectory(source).ledger, StateDirectory(target).ledger)

    def remove_directory(self, path: Path) -> None:
        """Remove a state directory."""
        shutil.rmtree(path, ignore_errors=True)
        self._locks.pop(path, None)
        self.databases.remove(StateDirectory(path).ledger)

    def note_undecided(self, undecided: Undecided) -> None:
        """Note a commit that the lease table can't decide, and whether docs/guarantees.md names the reason."""
        left, number_of_bytes = undecided
        self.undecided.append(number_of_bytes)
        row = self.dynamodb.row(TABLE, left.shard_id)
        claims = claims_of(LeaseRow("", Position(""), row.get(CLAIMS, ""))) if row is not None else []
        is_pushed_out = len(claims) >= _CLAIMS_OF_A_FULL_ROW and left.token not in [claim.token for claim in claims]
        if row is not None and not is_pushed_out:
            self.unexplained.append(f"a commit of {left.shard_id} up to {left.upto.sequence}")
