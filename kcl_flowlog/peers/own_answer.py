"""What an instance alone knows, as bytes for another to merge. Raises `ValueError` for bytes that are anything else.

Its version changes if an older instance would read it wrongly; fields that an older instance does not know don't harm.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from kcl_flowlog.web.who_report import InterfaceNote, SubnetLine

_VERSION = 1
MOST_LINES = 1000
MOST_BYTES = 2 * 1024 * 1024
"""A sketch of an hour of IPv6 addresses has less than half."""


class OwnAnswer(msgspec.Struct, kw_only=True):
    """What one instance knows.

    `instance` is a new random text at each start, `application` the name by which instances share a stream.
    Without a subnet in question, the rest is empty.
    """

    version: int = _VERSION
    instance: Annotated[str, msgspec.Meta(min_length=1)]
    application: str
    subnets: list[SubnetLine]
    is_known: bool = False
    name: str = ""
    vpc_id: str = ""
    sketch: bytes = b""
    interfaces: dict[str, InterfaceNote] = {}
    """Of the heaviest addresses, those that the inventory has."""


class _Version(msgspec.Struct):
    version: int


def encode(answer: OwnAnswer) -> bytes:
    """Return an answer as bytes."""
    return msgspec.msgpack.encode(answer)


def decode(data: bytes) -> OwnAnswer:
    """Return what `encode` has encoded. Raises `ValueError`, whose text continues a sentence about the instance."""
    try:
        version = msgspec.msgpack.decode(data, type=_Version).version
        if version != _VERSION:
            raise ValueError(f"answers in version {version} of the form, not {_VERSION}; run one version everywhere")
        answer = msgspec.msgpack.decode(data, type=OwnAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"does not answer as an instance does: {error}") from None
    if len(answer.subnets) > MOST_LINES:
        raise ValueError(f"does not answer as an instance does: it lists more than {MOST_LINES} subnets")
    return answer
