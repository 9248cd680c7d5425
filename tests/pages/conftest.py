from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.pages.browser import axe, chromium, why_not


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for these tests; none while others run, as Playwright keeps an event loop running in this thread."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def judge() -> str:
    """The script of axe-core."""
    return axe()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder where no page can be looked at."""
    if reason := why_not():
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason=reason))
