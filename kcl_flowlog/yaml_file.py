"""A YAML file as mappings that know their lines, so that a mistake can be told with its place.

The home of PyYAML. Every mistake of the user is a `ConfigError`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import yaml

from kcl_flowlog.errors import ConfigError

Scalar = str
Value = str | list[str]


class Section:
    """One mapping of a file: its keys must be among `known`."""

    def __init__(self, path: Path, node: yaml.Node | None) -> None:
        self._path = path
        self._nodes: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value == ""):
            return
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{path}, line {node.start_mark.line + 1}: keys with values are expected here.")
        self._nodes = {str(key.value): (key, value) for key, value in node.value}

    def allow(self, known: Collection[str]) -> Section:
        """Return this section. Raises `ConfigError` if it has another key than those `known`."""
        for name, (key, _) in self._nodes.items():
            if name not in known:
                raise ConfigError(f"{self._path}, line {key.start_mark.line + 1}: there is no setting {name!r}.")
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def text(self, name: str, default: str = "") -> str:
        """Return a key's value as text."""
        value = self.value(name) if name in self._nodes else default
        if isinstance(value, list):
            raise self.error(name, "one value is expected, not a list")
        return value

    def value(self, name: str) -> Value:
        """Return a key's value: text, or a list of texts."""
        node = self._nodes[name][1]
        if isinstance(node, yaml.SequenceNode):
            return [str(item.value) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            raise self.error(name, "a value is expected, not further keys")
        return str(node.value)

    def section(self, name: str) -> Section:
        """Return the section under a key; an empty one where the key is missing."""
        return Section(self._path, self._nodes[name][1] if name in self._nodes else None)

    def error(self, name: str, what: str) -> ConfigError:
        """Return an error that names the file, the line and the key."""
        return ConfigError(f"{self._path}, line {self._nodes[name][0].start_mark.line + 1}, {name}: {what}.")


def read(path: Path) -> Section:
    """Return the top of a YAML file. Raises `ConfigError`."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(f"The file {path} can't be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The file {path} is not YAML: {' '.join(str(error).split())}.") from error
    return Section(path, node)
