"""The templates of the pages, rendered by Jinja2. Every value is escaped; a name that a template lacks is an error.

The first page imports Jinja2: that takes 0.1 s and 2 MB, which an instance whose pages nobody reads does not need.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from kcl_flowlog import __version__
from kcl_flowlog.escaping import escape_unprintable

if TYPE_CHECKING:
    from jinja2 import Environment

_UNITS = ("", "k", "M", "G", "T", "P", "E")


def render(template: str, **values: Any) -> str:
    """Return a page of templates/."""
    return _environment().get_template(template).render(version=__version__, **values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("kcl_flowlog.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["short"] = short
    environment.filters["shown"] = escape_unprintable
    return environment


def short(number: float) -> str:
    """Return a number in at most six characters, such as 12.3k."""
    for unit in _UNITS:
        if number < 999.5 or unit == _UNITS[-1]:
            break
        number /= 1000
    if not unit or number >= 99.95:
        return f"{number:.0f}{unit}"
    return f"{number:.1f}{unit}"
