"""The inventory as a processor maps it: replaced, damaged, or of another version."""

from __future__ import annotations

import gc
from pathlib import Path

import msgspec
import pytest

from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.columns.interfaces import Interfaces
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.inventory_packing import pack
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.subnets import Interface, Inventory, dump
from kcl_flowlog.errors import UnusableInventory
from kcl_flowlog.processor.live_inventory import LiveInventory
from tests.support.builders import INVENTORY

PACKED = pack(INVENTORY)
NEWER = pack(msgspec.structs.replace(INVENTORY, interfaces=(Interface("eni-new", "subnet-a", "vpc-1"),)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.packed"
    path.write_bytes(PACKED)
    return path


def replace(path: Path, data: bytes) -> None:
    new = path.with_name("new")
    new.write_bytes(data)
    new.replace(path)


def mapped_inodes(folder: Path) -> list[str]:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line.split()[4] for line in lines if f"{folder}/" in line]


def test_an_index_stays_whole_when_its_file_is_replaced(path: Path) -> None:
    """What was not looked up before is found as well; the next index has the new file."""
    live = LiveInventory(path)
    old = live.changed()
    replace(path, NEWER)
    new = live.changed()

    assert old is not None
    assert new is not None
    assert ["subnet-a", "subnet-b"] == [old.interfaces[name].subnet_id for name in ("eni-a", "eni-b")]
    assert ("eni-new" in new.interfaces, "eni-a" in new.interfaces) == (True, False)
    assert None is live.changed()


def test_a_replaced_file_is_left_with_its_last_index(path: Path) -> None:
    """At once, and not when Python looks for cycles: its place on the disk and in memory is free again."""
    live = LiveInventory(path)
    gc.disable()
    try:
        attributor = Attributor(Index(INVENTORY))
        index = live.changed()
        assert index is not None
        attributor.use(index)
        attributor.peers.find("subnet-a", "vpc-1", bytes((10, 0, 2, 9)))
        listed = [Interfaces(index).find("eni-a"), index.interfaces["eni-a"], index.subnets["subnet-a"]]
        assert None not in [*listed, index.find_subnet(bytes((10, 0, 1, 9)), "vpc-1")]
        index.knows_scope_of(LogStream("1", "group", "eni-a-all"))
        replace(path, NEWER)
        index = live.changed()
        assert index is not None
        attributor.use(index)

        assert [str(path.stat().st_ino)] == mapped_inodes(path.parent)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is damaged: it is too short"),
        (PACKED[:-8], f"is damaged: it has {len(PACKED) - 8} bytes instead of {len(PACKED)}"),
        (PACKED[:-1] + b"?", "is damaged: its checksum is wrong"),
        (dump(INVENTORY), "is not a packed inventory"),
        (PACKED[:8] + b"\x63" + PACKED[9:], "is of another version of kcl-flowlog"),
    ],
    ids=["empty", "truncated", "damaged", "of an earlier version", "of a later version"],
)
def test_a_file_that_cannot_be_used_is_an_error_that_says_what_to_do(path: Path, data: bytes, expected: str) -> None:
    """It is never mapped: the processor ends, as its inventory would lack what the launcher has found."""
    live = LiveInventory(path)
    live.changed()
    replace(path, data)

    with pytest.raises(UnusableInventory) as raised:
        live.changed()

    assert f"The inventory {path} {expected}; restart the instance, which writes it again." == str(raised.value)


def test_an_empty_inventory_can_be_mapped(path: Path) -> None:
    """As of an account without a subnet."""
    path.write_bytes(pack(Inventory(1.0)))

    index = LiveInventory(path).changed()

    assert index is not None
    assert "eni-a" not in index.interfaces
