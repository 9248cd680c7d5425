"""What the checks look at: the settings, AWS and this machine, each asked once and only when a check needs it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from kcl_flowlog.config import Config
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.inventory.aws import Aws, StreamIdentity
from kcl_flowlog.inventory.aws_settings import with_old_names
from kcl_flowlog.inventory.stream import Stream, find_stream, stream_region
from kcl_flowlog.launcher import java
from kcl_flowlog.launcher.table_names import TableNames

_JAVA_TIMEOUT = 30


class World:
    """The world of one instance. `clock` returns Unix seconds, `free` the free bytes of a directory's file system."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        make_aws: Callable[[str, Mapping[str, str]], Aws] = Aws,
        clock: Callable[[], float] = time.time,
        free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        find_java: Callable[[str, Mapping[str, str]], java.Java] = java.find_java,
        find_jars: Callable[[], java.Jars] = java.find_jars,
        complaint_of_java: Callable[[Sequence[str]], str] | None = None,
    ) -> None:
        self.config = config
        self.environ = with_old_names(environ)
        self._make_aws = make_aws
        self.clock = clock
        self.free = free
        self.find_java = find_java
        self.find_jars = find_jars
        self.complaint_of_java = complaint_of_java or complaint_of

        self.date = ""
        """When AWS answered, as it says; empty if no answer told."""
        self.stream_identity: StreamIdentity | None = None
        self.inventory = Inventory()
        self.shards: set[str] = set()
        """The shards of the stream, none before they were listed."""

    def note_date(self, answer: Mapping[str, Any]) -> None:
        """Note when AWS answered."""
        self.date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")

    def note_stream(self, identity: StreamIdentity | None) -> None:
        """Note which stream it is."""
        self.stream_identity = identity

    def is_stream(self, arn: str) -> bool:
        """Say whether an ARN is that of the stream; if its own is unknown, by its name."""
        known = self.stream_identity.arn if self.stream_identity is not None else self.stream.arn
        return arn == known if known else arn.endswith(f":stream/{self.stream.name}")

    @cached_property
    def aws(self) -> Aws:
        """Clients of AWS. Raises `ConfigError` if the region is missing or invalid."""
        return self._make_aws(stream_region(self.config.stream, self.config.region, self.environ), self.environ)

    @cached_property
    def stream(self) -> Stream:
        """The stream. Raises `ConfigError`."""
        return find_stream(self.config.stream, self.config.stream_role, self.aws.region)

    @cached_property
    def kinesis(self) -> Any:
        """A client for the account of the stream."""
        return self.aws.kinesis(self.stream)

    @cached_property
    def tables(self) -> TableNames:
        """The names of the application's tables."""
        return TableNames.of(self.config)


def complaint_of(argv: Sequence[str]) -> str:
    """Return what a command writes if it fails, as one line; empty if it does not fail."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=_JAVA_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    text = " ".join(done.stderr.decode("utf-8", "replace").split()) or f"exit status {done.returncode}"
    return text if done.returncode else ""
