"""Chromium without a window, driven by Playwright, and axe-core, which judges whether everybody can use a page.

axe-core is downloaded once into build/stand-ins, at the version that its lock names. Chromium is that of the machine.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any, Final

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from kcl_flowlog.web.overview import Overview
from kcl_flowlog.web.server import WebServer
from kcl_flowlog.web.who_page import WhoSource
from tests.support.downloads import download_with_npm, is_downloaded
from tests.support.paths import ROOT
from tests.support.web import FakeContents

CHROMIUM: Final = shutil.which("chromium")
_AXE = "axe"
# The sandbox needs user namespaces, which a container mostly lacks; the only pages are those of the tests.
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
_PATIENCE_MS = 60_000


def why_not() -> str:
    """Return why no page can be looked at here; empty if it can."""
    if CHROMIUM is None:
        return "needs Chromium; on Debian: apt-get install chromium"
    if shutil.which("npm") is None and not is_downloaded(_AXE):
        return "needs npm to download axe-core; on Debian: apt-get install npm"
    return ""


def axe() -> str:
    """Return the script of axe-core; download it if it is missing."""
    folder = download_with_npm(_AXE, ROOT / "tests" / "pages" / "axe")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, with a new profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS], timeout=_PATIENCE_MS)
        yield browser
        browser.close()


@contextlib.contextmanager
def served(overview: Overview, who: WhoSource | None, not_ready: tuple[str, ...] = ()) -> Iterator[str]:
    """Serve the pages on this machine, and return their address."""
    contents = FakeContents()
    contents.overview, contents.who, contents.not_ready = overview, who, [*not_ready]
    server = WebServer(("127.0.0.1", 0), contents.pages())
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


@contextlib.contextmanager
def opened(
    browser: Browser, url: str, width: int, scheme: str, messages: list[str], *, has_scripts: bool = True
) -> Iterator[Page]:
    """Open a page in a window of a width; what the browser complains about goes to `messages`."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=has_scripts,
    )
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            messages.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(url)
    yield page
    context.close()


def serious_findings(page: Page, script: str) -> Mapping[str, Any]:
    """Return what axe-core finds serious or critical: for each rule, the first elements."""
    page.evaluate(script)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return {
        each["id"]: [node["html"] for node in each["nodes"][:3]]
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    }
