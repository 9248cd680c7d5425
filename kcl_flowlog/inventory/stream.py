"""The stream to read, as the settings name it: by its name or by its ARN, with the own credentials or with a role.

Calls nothing over the network. The KCL asks for a stream by its name only, so the credentials decide whose stream it
gets. A contradiction between the settings is a `ConfigError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_settings import resolve_region, role_account


@dataclass(frozen=True)
class Stream:
    """A stream. `arn` is empty if only its name is known, `role` if it is read with the own credentials."""

    name: str
    arn: str = ""
    role: str = ""

    @property
    def account(self) -> str:
        """The account of the ARN; empty without."""
        return self.arn.split(":")[4] if self.arn else ""

    def __str__(self) -> str:
        return self.arn or self.name


def stream_region(stream: str, region: str, environ: Mapping[str, str]) -> str:
    """Return the region to read in: `region`, or else that of the stream's ARN, of the environment or of the profile.

    Raises `ConfigError`.
    """
    return resolve_region(region or region_of(stream), environ)


def region_of(stream: str) -> str:
    """Return the region of a stream's ARN; empty for a name."""
    return stream.split(":")[3] if stream.startswith("arn:") else ""


def find_stream(stream: str, role: str, region: str) -> Stream:
    """Return the stream of a name or an ARN, which is read in this region. Raises `ConfigError`."""
    account = role_account(role, "--stream-role") if role else ""
    if not stream.startswith("arn:"):
        partition = role.split(":")[1] if role else ""
        return Stream(stream, f"arn:{partition}:kinesis:{region}:{account}:stream/{stream}" if role else "", role)
    found = Stream(stream.partition("/")[2], stream, role)
    if region_of(stream) != region:
        raise ConfigError(
            f"--stream is in {region_of(stream)}, but --region is {region}; leave out --region, as the KCL keeps its"
            " leases in the region of the stream."
        )
    if role and (found.account, stream.split(":")[1]) != (account, role.split(":")[1]):
        raise ConfigError(
            f"--stream belongs to account {found.account}, but --stream-role to account {account}; give a role of the"
            " account of the stream, as the KCL looks there for a stream of that name."
        )
    return found
