"""The metrics page as bytes: which format a scraper wants, and the page in it.

Two formats: Prometheus' text format 0.0.4, and OpenMetrics 1.0.0. Whoever
asks for a newer OpenMetrics gets 1.0.0 under its own name. Fails only when a
collector does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest as text
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Render = Callable[[str, Sequence[str]], tuple[str, bytes]]
"""From an Accept header and the names asked for (none means all) to a content type and a page."""

_WRITERS: dict[str, Callable[[Any], bytes]] = {TEXT: text, OPENMETRICS: openmetrics}


def renderer(registry: CollectorRegistry) -> Render:
    """Return what renders the metrics of a registry."""

    def render(accept: str, names: Sequence[str]) -> tuple[str, bytes]:
        content_type = negotiate(accept)
        shown = registry.restricted_registry(names) if names else registry
        return content_type, _WRITERS[content_type](shown)

    return render


def negotiate(accept: str) -> str:
    """Return the content type that an Accept header likes best; the text format where it says nothing of use."""
    best, best_quality = TEXT, 0.0
    for part in accept.split(","):
        media_type, *parameters = (item.strip().lower() for item in part.split(";"))
        values = dict(item.partition("=")[::2] for item in parameters)
        content_type = _content_type(media_type, values.get("version", ""))
        quality = _quality(values.get("q", "1"))
        if content_type is not None and quality > best_quality:
            best, best_quality = content_type, quality
    return best


def _content_type(media_type: str, version: str) -> str | None:
    if media_type == "application/openmetrics-text":
        return None if version.startswith("0.") else OPENMETRICS
    # Text format 1.0.0 differs in metric names that we don't use; it is not ours to claim.
    readable = media_type in ("text/plain", "text/*", "*/*") and version in ("", "0.0.4")
    return TEXT if readable else None


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
