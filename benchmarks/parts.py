"""Where the time of the counting path goes, as a picture: `python benchmarks/parts.py --svg docs/counting-parts.svg`.

Looks every millisecond of CPU time which module is at work, and gives each sample to a part of the path. Shares depend
little on the machine and on other work, unlike times. Prints them, and draws them.
"""

from __future__ import annotations

import os

# As a processor does, before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from types import FrameType

from counting import Case, Product, inventory, payloads

from kcl_flowlog.counting.columns.counter import MIN_LINES
from kcl_flowlog.counting.inventory_index import Index

CASES = (Case(100), Case(3000))
COLOURS = ("#9ecae1", "#3182bd")
OTHER = "the rest"
PARTS: Mapping[str, tuple[str, ...]] = {
    "gunzip": ("unpacking",),
    "head of the envelope, second deliveries": ("payload", "envelope", "duplicates", "log_stream", "formats"),
    "lines in the JSON": ("columns/json_lines", "columns/spaces", "unread_envelopes", "columns/gathering"),
    "numbers, words": ("columns/digits", "columns/words", "columns/line_ends", "columns/fields", "columns/block"),
    "interface, direction": ("columns/block:_find_interfaces", "columns/interfaces", "columns/attribution"),
    "peer": ("columns/known_addresses", "columns/networks"),
    "sums, delays, ports": (
        "columns/sums",
        "columns/delays",
        "columns/ports",
        "columns/counter",
        "events",
        "tally",
        "delta",
    ),
    "who sent what": ("columns/who", "who/collector", "who/sketches"),
}
"""The parts, each with its modules in kcl_flowlog/counting, or a function of them. Helpers count for their callers."""
_PART_OF = {module: part for part, modules in PARTS.items() for module in modules}
_MARK = "kcl_flowlog/counting/"
_STEP = 0.001


def part_of(places: Sequence[str]) -> str:
    """Return the part of a stack of places such as `columns/text:words`, the innermost first."""
    for place in places:
        part = _PART_OF.get(place) or _PART_OF.get(place.partition(":")[0])
        if part is not None:
            return part
    return OTHER


def places(frame: FrameType | None) -> Iterator[str]:
    """Yield the places of a stack in the package that counts, the innermost first."""
    while frame is not None:
        _, _, name = frame.f_code.co_filename.partition(_MARK)
        if name:
            yield f"{name.removesuffix('.py')}:{frame.f_code.co_name}"
        frame = frame.f_back


def sample(case: Case, seconds: float) -> dict[str, float]:
    """Return the share of each part."""
    world, made = inventory(case), payloads(case)
    product = Product(case, Index(world), made, MIN_LINES)
    product.count(made)
    found: Counter[str] = Counter()
    signal.signal(signal.SIGPROF, lambda _, frame: found.update([part_of([*places(frame)])]))
    end = time.process_time() + seconds
    signal.setitimer(signal.ITIMER_PROF, _STEP, _STEP)
    while time.process_time() < end:
        product.count(made)
    signal.setitimer(signal.ITIMER_PROF, 0)
    return {part: found[part] / found.total() for part in (*PARTS, OTHER)}


def draw(shares: Mapping[str, Mapping[str, float]]) -> str:
    """Return a picture of the shares, by case and part."""
    left, width, bar, gap = 290, 360, 13, 12
    parts = [part for part in next(iter(shares.values())) if max(each[part] for each in shares.values()) >= 0.005]
    most = max(share for each in shares.values() for share in each.values())
    row = bar * len(shares) + gap
    top = 20 + 20 * len(shares)
    height = top + row * len(parts) + 10
    size = f'width="720" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        f'<rect {size} fill="white"/>',
    ]
    for number, (name, _) in enumerate(shares.items()):
        y = 14 + 20 * number
        lines.append(f'<rect x="{left}" y="{y}" width="13" height="13" fill="{COLOURS[number]}"/>')
        lines.append(f'<text x="{left + 20}" y="{y + 11}">{escape(name)}</text>')
    for place, part in enumerate(parts):
        y = top + row * place
        middle = y + bar * len(shares) / 2 + 5
        lines.append(f'<text x="{left - 10}" y="{middle:g}" text-anchor="end">{escape(part)}</text>')
        for number, each in enumerate(shares.values()):
            length, edge = each[part] / most * width, y + bar * number
            lines.append(f'<rect x="{left}" y="{edge}" width="{length:.0f}" height="{bar}" fill="{COLOURS[number]}"/>')
            label = f'<text x="{left + length + 6:.0f}" y="{edge + 11}" font-size="11">{each[part]:.0%}</text>'
            lines.append(label)
    return "\n".join([*lines, "</svg>"]) + "\n"


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="CPU seconds for each case (default: 6)")
    parser.add_argument("--svg", type=Path, help="file to draw the picture into")
    options = parser.parse_args()
    shares = {f"{case.events:,} events in an envelope": sample(case, options.seconds) for case in CASES}
    for name, each in shares.items():
        print(name, *(f"{share:6.1%} {part}" for part, share in each.items()), sep="\n  ")
    if options.svg:
        options.svg.write_text(draw(shares), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
