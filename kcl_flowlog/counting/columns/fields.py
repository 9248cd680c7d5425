"""Which columns of a block hold the fields that are counted."""

from __future__ import annotations

from typing import NamedTuple

from kcl_flowlog.counting.line_format import LineFormat


class Fields(NamedTuple):
    """The column of each field that is used, None if the format lacks it; and the number of all fields."""

    log_status: int | None
    interface_id: int | None
    subnet_id: int | None
    srcaddr: int
    dstaddr: int
    dstport: int | None
    protocol: int | None
    packets: int | None
    bytes: int | None
    start: int | None
    end: int | None
    action: int | None
    flow_direction: int | None
    pkt_srcaddr: int | None
    pkt_dstaddr: int | None
    pkt_src_aws_service: int | None
    pkt_dst_aws_service: int | None
    traffic_path: int | None
    word_count: int
    has_column_in_front: bool
    """A field is compared together with the space before it; so in front of a used first field there is one more."""


def fields_of(line_format: LineFormat) -> Fields | None:
    """Return the columns of a format, or None if lines of this format must be read alone."""
    names = line_format.fields
    if "srcaddr" not in names or "dstaddr" not in names:
        return None
    used = [name.replace("_", "-") for name in Fields._fields[:-2]]
    has_column_in_front = names[0] in used
    columns = [names.index(name) + has_column_in_front if name in names else None for name in used]
    return Fields._make([*columns, len(names), has_column_in_front])
