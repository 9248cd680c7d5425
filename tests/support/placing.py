"""Where lines are counted, by the inventory of `tests.support.builders` or less."""

from __future__ import annotations

from kcl_flowlog.counting.attribution import Attributor, Place
from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM, LogStream
from kcl_flowlog.counting.subnets import Inventory
from tests.support.builders import INVENTORY

PLAIN = LineFormat()
NO_INTERFACES = Inventory(1.0, INVENTORY.subnets, ())
# A single VPC, so that no other VPC has its addresses.
ALONE = Inventory(1.0, INVENTORY.subnets[:3], ())


def place(
    text: str, inventory: Inventory = INVENTORY, log_stream: str = "", line_format: LineFormat = PLAIN
) -> tuple[str, str, str] | None:
    """Return the subnet, direction and peer of a line, the only line of its interface."""
    found = whole_place(text, inventory, log_stream, line_format)
    return None if found is None else found[:3]


def locate(attributor: Attributor, record: FlowRecord) -> tuple[str, str, str] | None:
    """Return the subnet, direction and peer of a record in a log stream without a name."""
    found = attributor.locate(record, NO_LOG_STREAM)
    return None if found is None else found[:3]


def whole_place(
    text: str, inventory: Inventory = INVENTORY, log_stream: str = "", line_format: LineFormat = PLAIN
) -> Place | None:
    """Return the place of a line, the only line of its interface."""
    attributor = Attributor(Index(inventory))
    record = line_format.parse(text)
    recorded_in = LogStream("", "", log_stream)
    attributor.learn([record], recorded_in)
    return attributor.locate(record, recorded_in)
