"""The settings that choose labels: rows of the table in `kcl_flowlog.config`.

Each function returns the field of `Config` that has its name.
"""

from __future__ import annotations

from typing import Any

from kcl_flowlog import values
from kcl_flowlog.setting import setting


def traffic_labels() -> Any:
    """Return the field; its value is a tuple of labels."""
    return setting(
        flag="--traffic-labels",
        group="Metrics",
        default="protocol,peer",
        parse=values.parse_traffic_labels,
        metavar="LABEL,...",
        help="Optional labels of the traffic metrics: `protocol`, `peer`, `path`, `interface_type`, or none. "
        "The ledger keeps all.",
    )


def subnet_tags() -> Any:
    """Return the field; its value is a tuple of keys."""
    return setting(
        flag="--subnet-tags",
        group="Metrics",
        default="",
        parse=values.parse_subnet_tags,
        metavar="KEY,...",
        help="Tags of subnets that flowlog_subnet_tags shows as labels: `team` as `tag_team`.",
    )
