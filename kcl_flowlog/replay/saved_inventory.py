"""The file of `--inventory`: an inventory that `kcl-flowlog` has saved, or that somebody wrote or changed by hand.

Every mistake in it is a `ConfigError` that names the file and the place.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.envelope import UNDECODABLE
from kcl_flowlog.counting.prefixes import pack
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.errors import ConfigError

T = TypeVar("T")


def load(path: Path) -> Inventory:
    """Read the file. Raises `ConfigError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"--inventory: {path} can't be read: {error.strerror}.") from error
    content = _decode(path, lambda: msgspec.json.decode(data))
    if not isinstance(content, dict) or "subnets" not in content:
        raise ConfigError(f"--inventory: {path} is not an inventory; `kcl-flowlog inventory` makes one.")
    _check_keys(path, content)
    inventory = _decode(path, lambda: subnets.load(data))
    for subnet in inventory.subnets:
        _check(path, subnet.subnet_id, subnet.cidrs, _is_network, "a CIDR block such as 10.0.1.0/24")
    for interface in inventory.interfaces:
        _check(path, interface.interface_id, interface.prefixes, _is_network, "a CIDR block such as 10.0.1.16/28")
        _check(path, interface.interface_id, interface.addresses, _is_address, "an address such as 10.0.1.10")
    return inventory


def _decode(path: Path, decode: Callable[[], T]) -> T:
    try:
        return decode()
    except UNDECODABLE as error:
        reason = " ".join(str(error).replace("`", "").split())
        raise ConfigError(f"--inventory: {path} is not a valid inventory: {reason}.") from error


def _check_keys(path: Path, content: dict[str, Any]) -> None:
    """Raise `ConfigError` for a key that no part of an inventory has: it would be ignored, or its default used."""
    parts = {field.name: field.type for field in msgspec.structs.fields(Inventory)}
    _check_names(path, "", content, parts)
    for part, kind in parts.items():
        rows = content.get(part)
        for number, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, dict):
                known = [field.name for field in msgspec.structs.fields(kind.__args__[0])]
                _check_names(path, f" in {part}[{number}]", row, known)


def _check_names(path: Path, place: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            advice = f"did you mean {near[0]!r}?" if near else "remove it, or use the version that wrote the file."
            raise ConfigError(f"--inventory: {path} has an unknown key {name!r}{place}; {advice}")


def _check(path: Path, owner: str, values: Iterable[str], is_valid: Callable[[str], bool], what: str) -> None:
    for value in values:
        if not is_valid(value):
            raise ConfigError(f"--inventory: {path}: {value!r} of {owner} is not {what}.")


def _is_network(text: str) -> bool:
    try:
        return "/" in text and bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    return pack(text) is not None
