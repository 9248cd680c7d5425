"""The templates of the pages, rendered by Jinja2. Every value is escaped, for browsers and for
eyes; a name that a template lacks is an error.

The first page imports Jinja2: that takes 0.1 s and 2 MB, which an instance whose pages nobody reads does not need.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from kcl_flowlog import __version__
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.web.sparkline import sparkline

if TYPE_CHECKING:
    from jinja2 import Environment

_UNITS = ("", "k", "M", "G", "T", "P", "E")
_SPANS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def render(template: str, **values: Any) -> str:
    """Return a page of templates/."""
    return _environment().get_template(template).render(version=__version__, **values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("kcl_flowlog.web"),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"bytes": size, "short": short, "span": span}
    environment.globals["sparkline"] = sparkline
    return environment


def _visible(value: object) -> object:
    """Return text from outside so that all of it can be seen; what is HTML already stays."""
    return value if hasattr(value, "__html__") else escape_unprintable(str(value))


def short(number: float) -> str:
    """Return a number in at most six characters, such as 12.3k."""
    for unit in _UNITS:
        if number < 999.5 or unit == _UNITS[-1]:
            break
        number /= 1000
    if not unit or number >= 99.95:
        return f"{number:.0f}{unit}"
    return f"{number:.1f}{unit}"


def size(number: float) -> str:
    """Return a number of bytes, such as 12.3 kB."""
    text = short(number)
    return f"{text[:-1]} {text[-1]}B" if text[-1].isalpha() else f"{text} B"


def span(seconds: float) -> str:
    """Return a time span in its largest unit, such as 12 s; what a clock that leaps makes negative is 0 s."""
    unit, length = next((each for each in _SPANS if seconds >= each[1]), _SPANS[-1])
    return f"{max(0, int(seconds // length))} {unit}"
