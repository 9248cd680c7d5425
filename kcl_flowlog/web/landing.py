"""The landing page: what this program is, whether it works, and where the other pages are.

Fills templates/landing.html. Escapes every value, so no text becomes markup.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Template

from kcl_flowlog import __version__


@dataclass(frozen=True)
class Landing:
    """The constant part of the page; each of `links` is a text and a URL."""

    name: str = "kcl-flowlog"
    description: str = "VPC Flow Logs from Kinesis to Prometheus counters per subnet"
    version: str = __version__
    links: Sequence[tuple[str, str]] = ()


def landing_page(
    landing: Landing, telemetry_path: str, unhealthy_reasons: Sequence[str], not_ready_reasons: Sequence[str]
) -> str:
    """Return the page as HTML. An empty list of reasons means healthy, or ready."""
    # Relative links work behind a proxy that serves this page under another path, too.
    links = [("Metrics", telemetry_path.lstrip("/")), ("Health", "-/healthy"), ("Readiness", "-/ready"), *landing.links]
    return _template().substitute(
        name=html.escape(landing.name),
        description=html.escape(landing.description),
        version=html.escape(landing.version),
        status="\n".join([_status("Healthy", unhealthy_reasons), _status("Ready", not_ready_reasons)]),
        links="\n".join(f'<li><a href="{html.escape(url)}">{html.escape(text)}</a></li>' for text, url in links),
    )


@cache
def _template() -> Template:
    return Template((resources.files("kcl_flowlog.web") / "templates" / "landing.html").read_text(encoding="utf-8"))


def _status(question: str, reasons: Sequence[str]) -> str:
    if not reasons:
        return f'<li>{question}: <span class="yes">yes</span></li>'
    items = "".join(f"<li>{html.escape(reason)}</li>" for reason in reasons)
    return f'<li>{question}: <span class="no">no</span><ul>{items}</ul></li>'
