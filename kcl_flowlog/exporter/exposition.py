"""The metrics page in the format that the scraper accepts: text 0.0.4 or OpenMetrics 1.0.0.

The content type always names the format that was used. Knows nothing of HTTP
except the `Accept` header and the parameter `name[]`. Passes on what a
collector raises, before it returns anything.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from kcl_flowlog.exporter.rendered_family import Families, RenderedFamily

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_END = b"# EOF\n"
# Below, parts are joined: each of them costs a call of the kernel, and a frame of TLS.
_PART_BYTES = 64 * 1024

Generate = Callable[[Families], bytes]


def renderer(registry: CollectorRegistry) -> Callable[[str, Mapping[str, Sequence[str]]], tuple[str, Sequence[bytes]]]:
    """Return the function that makes the page of `registry`.

    It takes the `Accept` header and the query, and returns content type and page, in parts. With `name[]` in the query,
    the page has only the series of those names.
    """

    def render(accept: str, query: Mapping[str, Sequence[str]]) -> tuple[str, Sequence[bytes]]:
        content_type = negotiate(accept)
        names = query.get("name[]")
        selected = registry.restricted_registry(names) if names else registry
        generate, end = (_generate_openmetrics, _END) if content_type == OPENMETRICS else (_generate_text, b"")
        with _without_collections():
            return content_type, list(_parts([*_texts(selected.collect(), generate), end]))

    return render


@contextmanager
def _without_collections() -> Iterator[None]:
    """Pause Python's search for cycles: it would look at the thousands of new objects of a page again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


# Without a version argument: prometheus_client would name any requested version on a page that does not follow it,
# and its older releases don't take the argument.
def _generate_text(families: Families) -> bytes:
    return generate_latest(families)


def _generate_openmetrics(families: Families) -> bytes:
    return bytes(generate_openmetrics(families)).removesuffix(_END)  # type: ignore[no-untyped-call]


def _texts(families: Iterable[Metric], generate: Generate) -> Iterator[bytes]:
    """Yield the text of families; prometheus_client renders those that are not rendered already."""
    waiting: list[Metric] = []
    for family in families:
        if isinstance(family, RenderedFamily):
            yield generate(Families([*waiting, family.header]))
            yield from family.blocks
            waiting = []
        else:
            waiting.append(family)
    yield generate(Families(waiting))


def _parts(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield texts, of which small ones are joined."""
    small: list[bytes] = []
    for text in texts:
        if len(text) >= _PART_BYTES:
            yield b"".join(small)
            yield text
            small = []
        else:
            small.append(text)
    yield b"".join(small)


def negotiate(accept: str) -> str:
    """Return the content type for an `Accept` header.

    OpenMetrics if the header names it with at least the weight of text. Text in all other cases, even if the header
    accepts neither: a readable page says more than status 406.
    """
    ranges = [_media_range(part) for part in accept.split(",")]
    openmetrics = _weight(ranges, "application/openmetrics-text", _is_openmetrics_1)
    weights = (_weight(ranges, name) for name in ("text/plain", "text/*", "*/*"))
    text = next((weight for weight in weights if weight is not None), 0.0)
    return OPENMETRICS if openmetrics and openmetrics >= text else TEXT


MediaRange = tuple[str, Mapping[str, str]]


def _media_range(part: str) -> MediaRange:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    return name.lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}


def _weight(
    ranges: Iterable[MediaRange], name: str, is_served: Callable[[Mapping[str, str]], bool] = lambda _: True
) -> float | None:
    """Return the largest q of the ranges with that name, or None if there is no such range."""
    weights = (_q(parameters) for range_name, parameters in ranges if range_name == name and is_served(parameters))
    return max(weights, default=None)


def _q(parameters: Mapping[str, str]) -> float:
    try:
        return min(max(float(parameters.get("q", "1")), 0.0), 1.0)
    except ValueError:
        return 0.0


def _is_openmetrics_1(parameters: Mapping[str, str]) -> bool:
    """Say whether version 1.0.0 satisfies the range. A newer version does, as the content type names the version."""
    major = parameters.get("version", "1").partition(".")[0]
    return major.isdecimal() and int(major) >= 1
