"""The web configuration in force, kept current while its file and certificates change.

Reads the file again after every change of it or of a certificate. If the new
state is broken, logs one warning and keeps the last valid configuration, so a
mistake never opens a protected server. Only the first read raises
`ConfigError`.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.tls import tls_context
from kcl_flowlog.web.web_config import WebConfig, load

log = logging.getLogger(__name__)

_FileStamp = tuple[int, ...]


@dataclass(frozen=True)
class ActiveWebConfig:
    """A configuration, and the TLS context made from it; None means plain HTTP."""

    config: WebConfig
    context: ssl.SSLContext | None


class WebConfigKeeper:
    """Returns the configuration in force. `path` may be empty: then it is `WebConfig()`. Safe to use from threads."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._lock = threading.Lock()
        self._stamps: dict[Path, _FileStamp] = {}
        self._active: ActiveWebConfig | None = None

    def current(self) -> ActiveWebConfig:
        """Return the configuration in force. The first call reads the file, and raises `ConfigError` if it is invalid.

        Later calls read the file only after a change, and don't raise.
        """
        with self._lock:
            if self._active is None:
                self._active = self._read()
            elif any(_stamp(file) != stamp for file, stamp in self._stamps.items()):
                self._active = self._read_again(self._active)
            return self._active

    def _read_again(self, before: ActiveWebConfig) -> ActiveWebConfig:
        try:
            active = self._read()
        except ConfigError as error:
            log.warning(
                "Invalid web configuration; keeping the last valid one",
                extra={"fields": {"file": str(self._path), "error": str(error)}},
            )
            return before
        log.info("Read the changed web configuration", extra={"fields": {"file": str(self._path)}})
        return active

    def _read(self) -> ActiveWebConfig:
        if self._path is None:
            return ActiveWebConfig(WebConfig(), None)
        # Stamps come before contents: a change during the read counts as a change. They cover every file that the
        # result depends on, also when the result is an error.
        self._stamps = {self._path: _stamp(self._path)}
        config = load(self._path)
        if config.tls is None:
            return ActiveWebConfig(config, None)
        self._stamps |= {file: _stamp(file) for file in config.tls.files}
        return ActiveWebConfig(config, tls_context(config.tls))


def _stamp(file: Path) -> _FileStamp:
    try:
        status = os.stat(file)
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
