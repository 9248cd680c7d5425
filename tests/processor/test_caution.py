"""Care after deaths that left nothing behind: lives of instances without volumes, and one careful processor."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_flowlog.commits.claims import Care, digest
from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import LATER, ClaimNote, Denials, Hello
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.launcher.claim_notes import ClaimNotes
from kcl_flowlog.launcher.registrar import Registrar
from kcl_flowlog.processor.caution import GROUP, INTERVALS, SINGLES
from tests.support.conversation import GOOD, payload
from tests.support.lease_fakes import START, FakeLeases
from tests.support.ledgers import SHARD
from tests.support.processors import Driver, FakeKclCheckpointer, FakeMessenger, Record

SOUND = payload(GOOD)
LIVES = 8
"""In the last of them the record is skipped."""


class Death(BaseException):
    """The whole instance is killed."""


class LauncherOfALife(FakeMessenger):
    """Asks the real registrar, as the inbox does."""

    def __init__(self, registrar: Registrar, notes: ClaimNotes) -> None:
        super().__init__()
        self._registrar = registrar
        self._notes = notes

    def request(self, message: Hello | ClaimNote | Denials) -> list[str] | None:
        if isinstance(message, Hello):
            permit = self._registrar.register(message)
            return None if permit is None else [permit.care.name, *permit.poison]
        return self._notes.write(message) if isinstance(message, ClaimNote) else []


class CheckpointerOfALife(FakeKclCheckpointer):
    """Writes checkpoints into the lease table."""

    def __init__(self, leases: FakeLeases) -> None:
        super().__init__()
        self._leases = leases

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> None:
        super().checkpoint(sequence_number, sub_sequence_number)
        self._leases.assign(SHARD, self._leases.rows[SHARD].owner, Position(str(sequence_number), 0))


class Fleet:
    """Instances without volumes, one after the other, each with a new state directory and worker id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.leases = FakeLeases()
        self.lives = 0
        self.flows = 0
        self.skipped = 0

    def live(self, *records: Record) -> bool:
        """Start an instance, and deliver what is after the checkpoint; return whether it survived."""
        self.lives += 1
        directory, worker = self._path / str(self.lives), f"worker-{self.lives}"
        directory.mkdir()
        before = self.leases.rows.get(SHARD)
        at = before.checkpoint if before is not None else START
        self.leases.assign(SHARD, worker, at)
        with Ledger(directory / "ledger.sqlite3") as ledger:
            registrar = Registrar(
                self.leases,
                lambda: Ledger(directory / "ledger.sqlite3"),
                worker,
                DamageNote(),
                lambda: True,
                lambda _: self.leases.renew(),
            )
            driver = Driver(directory, ledger, log_deny="", deduplicate=False)
            driver.messenger = LauncherOfALife(registrar, ClaimNotes(self.leases, worker))
            driver.checkpointer = CheckpointerOfALife(self.leases)
            driver.processor = driver.new_processor()
            driver.on_point = die_of_arsenic
            try:
                driver.initialize(at.sequence)
                reached = 0 if at == START else int(at.sequence)
                driver.deliver(*(record for record in records if record[0] > reached))
                driver.wait_for_the_next_commit()
                driver.deliver()
            except Death:
                return False
            finally:
                self.flows += driver.flows
                self.skipped += driver.count(counts.MALFORMED, "payload_poison")
        return True


def die_of_arsenic(point: str, payload: bytes = b"") -> None:
    """Kill the instance if the payload kills."""
    if payload.startswith(b"arsenic"):
        raise Death


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.mark.parametrize("place", [1, 2, GROUP, GROUP + 3, 2 * GROUP + 2])
def test_a_record_that_kills_whole_instances_is_skipped(fleet: Fleet, place: int) -> None:
    """Wherever it is between two commits, and though nothing but the lease row is left of each life."""
    records = [(number, SOUND) for number in range(1, 2 * GROUP + 10)]
    records[place - 1] = (place, b"arsenic")

    while not fleet.live(*records):
        assert fleet.lives < LIVES

    assert (LIVES, 1, len(records) - 1) == (fleet.lives, fleet.skipped, fleet.flows)


def test_deaths_without_a_record_skip_none(fleet: Fleet) -> None:
    """Another shard's record killed the instances, while this shard was idle."""
    for _ in range(2 * LIVES):
        assert fleet.live()

    assert fleet.live((1, SOUND), (2, SOUND))

    assert (0, 2) == (fleet.skipped, fleet.flows)


# One careful processor


@pytest.fixture
def groups(driver: Driver) -> Driver:
    driver.messenger.permit = ["GROUPS"]
    driver.initialize()
    return driver


@pytest.fixture
def single(driver: Driver) -> Driver:
    driver.messenger.permit = ["SINGLE"]
    driver.initialize()
    return driver


def notes(driver: Driver) -> list[tuple[str, str]]:
    """Return what the notes in the claim said."""
    return [(note.care, note.in_hand) for note in driver.messenger.of_kind(ClaimNote)]


def sound(first: int, last: int) -> list[Record]:
    return [(number, SOUND) for number in range(first, last + 1)]


def test_a_careful_processor_commits_after_each_group(groups: Driver) -> None:
    """So the next one knows the record that kills up to a group; the rest waits for the interval."""
    groups.deliver(*sound(1, 2 * GROUP + 1))

    assert [(str(GROUP), 0), (str(2 * GROUP), 0)] == groups.checkpoints
    assert [] == notes(groups)


def test_each_record_is_named_before_it_is_counted(single: Driver) -> None:
    """And committed after it."""
    single.deliver(*sound(1, 2))

    assert [("1", 0), ("2", 0)] == single.checkpoints
    assert [(Care.SINGLE.value, digest(Position("1"))), (Care.SINGLE.value, digest(Position("2")))] == notes(single)


def test_no_record_is_counted_before_it_could_be_named(single: Driver) -> None:
    """The lease table fails for a while."""
    single.messenger.note_answers = [[LATER], [LATER]]

    single.deliver(*sound(1, 1))

    assert 3 == len(notes(single))
    assert 1 == single.flows


def test_a_claim_that_is_not_the_last_any_more_stops_the_counting(single: Driver) -> None:
    """Another processor has the shard."""
    single.messenger.note_answers = [[], None]

    single.deliver(*sound(1, 3))

    assert 1 == single.flows
    assert [("1", 0)] == single.checkpoints


@pytest.mark.parametrize("care", ["groups", "single"])
def test_care_ends_some_intervals_after_the_first_record(care: str, request: pytest.FixtureRequest) -> None:
    """A normal processor would have committed by then; a shard without records stays careful."""
    driver: Driver = request.getfixturevalue(care)
    driver.monotonic.now += 3600.0
    driver.deliver(*sound(1, 1))
    before = notes(driver)
    driver.monotonic.now += INTERVALS * driver.settings.checkpoint_interval - 0.1
    driver.deliver()
    assert before == notes(driver)

    driver.messenger.note_answers = [[LATER]]
    driver.monotonic.now += 0.1
    driver.deliver()
    driver.deliver()
    driver.deliver()

    assert [(Care.SURVIVED.value, "")] * 2 == notes(driver)[len(before) :]


def test_single_care_ends_after_two_groups(single: Driver) -> None:
    """The careful processor before it died within a group."""
    single.deliver(*sound(1, SINGLES - 1))
    assert SINGLES - 1 == len(notes(single))
    single.deliver(*sound(SINGLES, SINGLES))
    assert (Care.SURVIVED.value, "") == notes(single)[-1]

    single.deliver(*sound(SINGLES + 1, SINGLES + 2))
    assert SINGLES == len(single.checkpoints)


def test_a_careful_processor_survives_a_planned_stop(groups: Driver) -> None:
    """It was not a record that ended it."""
    groups.deliver(*sound(1, 1))

    groups.request_shutdown()

    assert [(Care.SURVIVED.value, "")] == notes(groups)
    assert 1 == groups.flows


def test_a_lost_claim_leaves_what_is_prepared_to_the_lease_table(groups: Driver) -> None:
    """Its checkpoint may have happened."""
    groups.checkpointer.refusals = ["ThrottlingException"] * 5
    groups.deliver(*sound(1, GROUP))
    groups.messenger.note_answers = [None]
    groups.monotonic.now += INTERVALS * groups.settings.checkpoint_interval
    groups.checkpointer.refusals = ["ThrottlingException"] * 5

    groups.deliver()

    assert [SHARD] == groups.left
