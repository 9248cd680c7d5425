"""The page of the metrics, in the form that a scraper asks for.

Speaks the text format 0.0.4 and OpenMetrics 1.0.0, nothing else, and says
truly which one it speaks. Knows nothing of HTTP but the meaning of `Accept`
and of `name[]`. What a collector raises is let through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# The versions are left to the defaults: prometheus_client would put a version that it is asked for on a page that
# isn't in it, and its older versions can't be asked.
_GENERATORS: Mapping[str, Callable[..., bytes]] = {TEXT: generate_latest, OPENMETRICS: generate_openmetrics}


def renderer(registry: CollectorRegistry) -> Callable[[str, Mapping[str, Sequence[str]]], tuple[str, bytes]]:
    """Return the function that makes the page of `registry`.

    It takes the `Accept` header and the query, whose `name[]` names the only series wanted, and returns the content
    type and the page.
    """

    def render(accept: str, query: Mapping[str, Sequence[str]]) -> tuple[str, bytes]:
        content_type = negotiate(accept)
        names = query.get("name[]")
        source = registry.restricted_registry(names) if names else registry
        return content_type, _GENERATORS[content_type](source)

    return render


def negotiate(accept: str) -> str:
    """Return the content type to answer an `Accept` header with.

    OpenMetrics goes to who names it and likes it no less than text; whoever accepts neither gets text as well, as
    a page that can be read tells more than a 406.
    """
    ranges = [_media_range(part) for part in accept.split(",") if part.strip()]
    openmetrics = _weight(ranges, "application/openmetrics-text", _is_openmetrics_1)
    text = next((w for name in ("text/plain", "text/*", "*/*") if (w := _weight(ranges, name)) is not None), 0.0)
    return OPENMETRICS if openmetrics and openmetrics >= text else TEXT


MediaRange = tuple[str, Mapping[str, str]]


def _media_range(part: str) -> MediaRange:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    return name.lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}


def _weight(
    ranges: Iterable[MediaRange], name: str, is_ours: Callable[[Mapping[str, str]], bool] = lambda _: True
) -> float | None:
    """Return the greatest q of the ranges with that name, None without one."""
    return max((_q(parameters) for named, parameters in ranges if named == name and is_ours(parameters)), default=None)


def _q(parameters: Mapping[str, str]) -> float:
    try:
        return min(max(float(parameters.get("q", "1")), 0.0), 1.0)
    except ValueError:
        return 0.0


def _is_openmetrics_1(parameters: Mapping[str, str]) -> bool:
    """Tell whether 1.0.0 can serve: not who asks for an older version; who asks for a newer one is told the version."""
    major = parameters.get("version", "1").partition(".")[0]
    return major.isdecimal() and int(major) >= 1
