"""YAML files as mappings that know their lines, so that an error can name the place of a mistake.

The home of PyYAML. Values are text or lists of text, as they stand in the
file: what they mean is for the caller to say. Every mistake in a file is a
`ConfigError` that names the file and, once it is known to be YAML, the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import yaml

from kcl_flowlog.errors import ConfigError

T = TypeVar("T")

# An escape can make them; neither a file's name nor a log line can hold them.
_UNUSABLE = re.compile("[\\0\\ud800-\\udfff]")


class Scalar(str):
    """The text of a value, with its place: `FILE, line 3, KEY`."""

    place: str

    def __new__(cls, text: str, place: str) -> Scalar:
        """Return the text with its place."""
        scalar = super().__new__(cls, text)
        scalar.place = place
        return scalar


class Section:
    """A mapping in a file. Raises `ConfigError` if the node is something else, or has a key twice."""

    def __init__(self, path: Path, node: yaml.Node | None) -> None:
        self._path = path
        self._nodes: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value == ""):
            return
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{path}, line {_line(node)}: expected keys with values, such as `key: value`.")
        for key, value in node.value:
            name = str(key.value)
            if name in self._nodes:
                first = _line(self._nodes[name][0])
                raise ConfigError(f"{path}, line {_line(key)}: {name!r} is already set in line {first}; remove one.")
            self._nodes[name] = key, value

    def allow(self, known: Collection[str]) -> Section:
        """Return this section. Raises `ConfigError` if it has a key that is not in `known`."""
        for name, (key, _) in self._nodes.items():
            if name not in known:
                near = get_close_matches(name, known, n=1)
                advice = f"did you mean {near[0]!r}?" if near else "remove it."
                raise ConfigError(f"{self._path}, line {_line(key)}: unknown key {name!r}; {advice}")
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def is_blank(self, name: str) -> bool:
        """Say whether a key is there without a value; `{}` and `[]` are values."""
        return name in self._nodes and self._nodes[name][1].value == ""

    def refuse_blanks(self, names: Iterable[str]) -> None:
        """Raise `ConfigError` if one of these keys is there without a value, as in a file that is cut off."""
        for name in names:
            if self.is_blank(name):
                raise self.error(name, "nothing follows; complete it or remove the key")

    def text(self, name: str, default: str = "") -> str:
        """Return the text under a key, or `default` if the key is missing. Raises `ConfigError` for a list."""
        if name not in self._nodes:
            return default
        if isinstance(self._nodes[name][1], yaml.SequenceNode):
            raise self.error(name, "expected one value, not a list")
        return self.texts(name)[0]

    def texts(self, name: str) -> list[Scalar]:
        """Return the texts in the list under a key; a single value counts as a list of one."""
        node = self._nodes[name][1]
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for item in items:
            if not isinstance(item, yaml.ScalarNode):
                raise self.error(name, "expected a value, not further keys or lists")
            if _UNUSABLE.search(item.value):
                raise self.error(name, "it has a character that no setting may have, NUL or a surrogate; remove it")
        return [Scalar(item.value, f"{self._path}, line {_line(item)}, {name}") for item in items]

    def parsed(self, name: str, parse: Callable[[str], T], default: str) -> T:
        """Return the value of the text under a key, or of `default`. Raises `ConfigError` if `parse` refuses it."""
        return self._parsed(name, parse, self.text(name, default))

    def parsed_list(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Return the value of each text under a key; empty if the key is missing. Raises `ConfigError` likewise."""
        texts = self.texts(name) if name in self._nodes else ()
        return tuple(self._parsed(name, parse, text) for text in texts)

    def section(self, name: str) -> Section:
        """Return the section under a key, or an empty section if the key is missing."""
        return Section(self._path, self._nodes[name][1] if name in self._nodes else None)

    def error(self, name: str, what: str) -> ConfigError:
        """Return an error that names the file, the line and the key."""
        return ConfigError(f"{self._path}, line {_line(self._nodes[name][0])}, {name}: {what}.")

    def _parsed(self, name: str, parse: Callable[[str], T], text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise self.error(name, str(error)) from None


def read(path: Path) -> Section:
    """Return the top of a YAML file. Raises `ConfigError`."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is not YAML: its lists or sections are nested too deeply.") from error
    return Section(path, node)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
