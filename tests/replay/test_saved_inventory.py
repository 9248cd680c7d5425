"""The file of `--inventory`: each mistake is a sentence that names the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.counting import subnets
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.replay import saved_inventory
from tests.support.builders import INVENTORY

SUBNET = {"subnet_id": "subnet-a", "vpc_id": "vpc-1", "availability_zone_id": "az1", "cidr": "10.0.1.0/24"}
INTERFACE = {"interface_id": "eni-a", "subnet_id": "subnet-a", "vpc_id": "vpc-1"}


def inventory(subnet: dict[str, Any] | None = None, **parts: Any) -> str:
    return json.dumps({"taken_at": 1.0, "subnets": [{**SUBNET, **(subnet or {})}], **parts})


# The text of a file, and what the sentence says after the name of the file.
MISTAKES = {
    "": " is not a valid inventory: Input data was truncated.",
    "[]": " is not an inventory; `kcl-flowlog inventory` makes one.",
    '{"taken_at": 1.0}': " is not an inventory; `kcl-flowlog inventory` makes one.",
    inventory(subnet={"cidr": "10.0.1.0/99"}): ": '10.0.1.0/99' of subnet-a is not a CIDR block such as 10.0.1.0/24.",
    inventory(subnet={"cidr": "10.0.1.0"}): ": '10.0.1.0' of subnet-a is not a CIDR block such as 10.0.1.0/24.",
    inventory(subnet={"ipv6_cidrs": ["fe80::/x"]}): ": 'fe80::/x' of subnet-a is not a CIDR block such as 10.0.1.0/24.",
    inventory(interfaces=[{**INTERFACE, "prefixes": ["10.0"]}]): (
        ": '10.0' of eni-a is not a CIDR block such as 10.0.1.16/28."
    ),
    inventory(interfaces=[{**INTERFACE, "addresses": ["10.0.1.300"]}]): (
        ": '10.0.1.300' of eni-a is not an address such as 10.0.1.10."
    ),
    inventory(
        subnet={"ipv6_cidr": "fe80::/64"}
    ): " has an unknown key 'ipv6_cidr' in subnets[0]; did you mean 'ipv6_cidrs'?",
    inventory(interface=[]): " has an unknown key 'interface'; did you mean 'interfaces'?",
    inventory(subnet={"colour": "red"}): (
        " has an unknown key 'colour' in subnets[0]; remove it, or use the version that wrote the file."
    ),
    '{"subnets": [{"subnet_id": "subnet-a"}]}': (
        " is not a valid inventory: Object missing required field vpc_id - at $.subnets[0]."
    ),
    inventory(subnet={"cidr": 10}): " is not a valid inventory: Expected str, got int - at $.subnets[0].cidr.",
    '{"subnets": 7}': " is not a valid inventory: Expected array, got int - at $.subnets.",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_a_sentence(tmp_path: Path, text: str) -> None:
    """With the nearest name for a misspelt key."""
    path = tmp_path / "inventory.json"
    path.write_text(text)

    with pytest.raises(ConfigError) as refused:
        saved_inventory.load(path)

    assert f"--inventory: {path}{MISTAKES[text]}" == str(refused.value)


def test_a_file_that_can_not_be_read_is_a_sentence(tmp_path: Path) -> None:
    """The system says why."""
    with pytest.raises(ConfigError, match=r"can't be read: Is a directory\.$"):
        saved_inventory.load(tmp_path)


def test_what_run_saves_is_read(tmp_path: Path) -> None:
    """All of it."""
    path = tmp_path / "inventory.json"
    path.write_bytes(subnets.dump(INVENTORY))

    assert INVENTORY == saved_inventory.load(path)
