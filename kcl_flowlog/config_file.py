"""The file of `--config.file`: each key is an option without its dashes.

Knows which keys there are, and not what their values mean. Raises
`ConfigError`, which names file, line and key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kcl_flowlog import yaml_file
from kcl_flowlog.config import settings


def read_config_file(path: Path) -> dict[str, Any]:
    """Return the texts in a configuration file by the names of their settings. Raises `ConfigError`."""
    known = {setting.key: (name, setting) for name, setting in settings().items()}
    section = yaml_file.read(path).allow(known)
    texts: dict[str, Any] = {}
    for key in section:
        name, setting = known[key]
        texts[name] = section.texts(key) if setting.collect else section.text(key)
    return texts
