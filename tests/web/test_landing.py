"""The landing page."""

from __future__ import annotations

import re

import pytest

from kcl_flowlog import __version__
from kcl_flowlog.web.landing import Landing, landing_page

LANDING = Landing("flows", "Flows & <more>", "1.2.3", [("A <b>", 'https://example.org/?a="1"&b')])


@pytest.mark.parametrize(
    "part",
    [
        "<title>flows</title>",
        "<h1>flows</h1>",
        "<p>Flows &amp; &lt;more&gt;</p>",
        "<p>Version: 1.2.3</p>",
        '<li><a href="metrics">Metrics</a></li>',
        '<li><a href="-/healthy">Health</a></li>',
        '<li><a href="-/ready">Readiness</a></li>',
        '<li><a href="https://example.org/?a=&quot;1&quot;&amp;b">A &lt;b&gt;</a></li>',
        '<li>Healthy: <span class="yes">yes</span></li>',
        '<li>Ready: <span class="no">no</span><ul><li>No &lt;leases&gt; yet.</li><li>No daemon.</li></ul></li>',
    ],
)
def test_the_page_shows_every_part_escaped(part: str) -> None:
    """Name, description, version, links and reasons are on the page, and none of them becomes markup."""
    assert part in landing_page(LANDING, "/metrics", [], ["No <leases> yet.", "No daemon."])


def test_healthy_and_ready_are_separate() -> None:
    """Each list of reasons belongs to its own line."""
    page = landing_page(LANDING, "/metrics", ["Stuck."], [])

    assert '<li>Healthy: <span class="no">no</span><ul><li>Stuck.</li></ul></li>' in page
    assert '<li>Ready: <span class="yes">yes</span></li>' in page


def test_links_are_relative() -> None:
    """They work behind a proxy that adds a path prefix."""
    page = landing_page(Landing(), "/flows/page", [], [])

    assert ["flows/page", "-/healthy", "-/ready"] == re.findall(r'href="([^"]*)"', page)


def test_the_default_page_names_the_program_and_its_version() -> None:
    """Nothing has to be configured for a useful page."""
    page = landing_page(Landing(), "/metrics", [], [])

    assert "<h1>kcl-flowlog</h1>" in page
    assert f"<p>Version: {__version__}</p>" in page
