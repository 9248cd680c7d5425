"""Rules for every test: how a parallel run deals out the tests, and no limit on the time of a property test."""

from __future__ import annotations

import gc

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support.examples import examples

# The tests of each of these modules share something costly, or write to the same file, so they run on one worker.
SHARED = (
    "tests/real/test_end_to_end.py",
    "tests/real/test_gaps.py",
    "tests/demo/",
    "tests/ops/test_dashboard_queries.py",
    "tests/test_cli.py",
    "tests/test_docs.py",
)

# The parts of moto that these import take a second, so they run on one worker, too.
IMPORTS_MOTO = (
    "tests/checks/",
    "tests/deploy/test_cloudformation.py",
    "tests/launcher/test_coordinator_table.py",
    "tests/launcher/test_leader_lock.py",
    "tests/launcher/test_leases.py",
)

# These take longest, so they begin first, in this order; a worker takes two of the tests that share nothing at once.
LONGEST = (
    "tests/real/test_gaps.py",
    "tests/real/test_end_to_end.py",
    "tests/real/test_poison.py",
    "tests/real/test_resharded_while_idle.py",
    "tests/real/test_state_directory.py",
    "tests/real/test_application.py",
)

# The time of an example depends on the machine. 100 examples are what Hypothesis tries without a profile.
hypothesis.settings.register_profile(
    "any-machine",
    deadline=None,
    max_examples=examples(100),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any-machine")


class OneByOne(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Deals out `IMPORTS_MOTO` and the modules of `SHARED` first, then the other tests one by one."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of the group that a test belongs to."""
        module = nodeid.partition("::")[0]
        if module.startswith(IMPORTS_MOTO):
            return "moto"
        return module if module.startswith(SHARED) else nodeid


def _rank(module: str) -> int:
    """Return the place of a module in `LONGEST`, behind it if it is not there."""
    return LONGEST.index(module) if module in LONGEST else len(LONGEST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneByOne:
    """Return the scheduler of a parallel run."""
    return OneByOne(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests through the real daemon first: they mostly wait, and the quick tests run beside them."""
    items.sort(key=lambda item: (item.get_closest_marker("daemon") is None, _rank(item.nodeid.partition("::")[0])))


def pytest_collection_finish() -> None:
    """Take what was imported and collected out of the garbage collector's sight: it would walk through it each time."""
    gc.collect()
    gc.freeze()
