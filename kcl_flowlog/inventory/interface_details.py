"""What EC2 tells of an interface for a person to read: not saved, and never in a processor, which needs none of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple


class InterfaceDetails(NamedTuple):
    """The words of EC2 about an interface; each may be empty. `security_groups` are their names."""

    description: str = ""
    interface_type: str = ""
    instance_id: str = ""
    security_groups: tuple[str, ...] = ()
    name: str = ""


Note = Callable[[Mapping[str, Any]], None]
"""Takes an interface as EC2 describes it."""


def ignore(item: Mapping[str, Any]) -> None:
    """Keep nothing of an interface."""


def name_tag(tags: Iterable[Mapping[str, str]]) -> str:
    """Return the value of the tag `Name`, or an empty text."""
    return next((tag["Value"] for tag in tags if tag["Key"] == "Name"), "")


class KeptDetails:
    """The details of interfaces, by id; `note` keeps them, and a refresh drops those that are gone."""

    def __init__(self) -> None:
        self.of_interface: dict[str, InterfaceDetails] = {}
        # Thousands of interfaces share a few texts.
        self._texts: dict[str, str] = {}

    def note(self, item: Mapping[str, Any]) -> None:
        """Keep what EC2 tells of an interface."""
        attachment = item.get("Attachment", {})
        self.of_interface[item["NetworkInterfaceId"]] = InterfaceDetails(
            self._shared(item.get("Description", "")),
            self._shared(item.get("InterfaceType", "")),
            attachment.get("InstanceId", ""),
            tuple(self._shared(group.get("GroupName", group["GroupId"])) for group in item.get("Groups", ())),
            self._shared(name_tag(item.get("TagSet", ()))),
        )

    def keep(self, interface_ids: Collection[str]) -> None:
        """Forget all interfaces but these."""
        self.of_interface = {name: each for name, each in self.of_interface.items() if name in interface_ids}
        self._texts.clear()

    def _shared(self, text: str) -> str:
        return self._texts.setdefault(text, text)
