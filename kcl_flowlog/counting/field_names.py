"""The names of fields in any spelling: `pkt-srcaddr`, `pkt_srcaddr`, `PKT_SRCADDR`, `pktSrcAddr`.

Headers of files, keys of JSON and columns spell them differently. Knows the fields of VPC flow logs and of transit
gateways; any other name is None.
"""

from __future__ import annotations

from kcl_flowlog.counting import transit_gateway
from kcl_flowlog.counting.fields import FIELDS

# The names without hyphens, in lower case.
_NAMES = {name.replace("-", ""): name for name in (*FIELDS, *transit_gateway.FIELDS)}


def field_of(name: str) -> str | None:
    """Return the field that a name means, in AWS's spelling, or None if the name is unknown."""
    return _NAMES.get(name.replace("_", "").replace("-", "").lower())
