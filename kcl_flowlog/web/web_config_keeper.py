"""The web configuration in force, kept current while its file and certificates change.

Looks at the file and the certificates for each request, and reads those that may have changed. A mistake never opens
a protected server: what is invalid, empty or half written is never served, and
what protects less is served only once the files have stayed unchanged for some
seconds. Until then the last good configuration stays in force, and one warning
says so. Only `check` and the first read raise `ConfigError`.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.file_state import FileState, FileStates, certificates_in
from kcl_flowlog.web.pem import Pem
from kcl_flowlog.web.protections import protections
from kcl_flowlog.web.shortfall import Shortfall
from kcl_flowlog.web.tls_context import tls_context
from kcl_flowlog.web.web_config import WebConfig, load

log = logging.getLogger(__name__)

SETTLE = 5.0
"""How long the files must stay unchanged before a configuration that protects less is in force, in seconds."""


@dataclass(frozen=True)
class ActiveWebConfig:
    """A configuration, the TLS context made from it (None means plain HTTP), and what this server can't do of it."""

    config: WebConfig
    context: ssl.SSLContext | None
    shortfalls: tuple[Shortfall, ...] = ()


class WebConfigKeeper:
    """Returns the configuration in force. `path` may be empty: then it is `WebConfig()`. Safe to use from threads.

    `clock` is monotonic.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = Path(path) if path else None
        self._clock = clock
        self._lock = threading.Lock()
        self._state_of = FileStates(clock)
        # Of every file that the last read depends on, also if it failed.
        self._states: dict[Path, FileState] = {}
        self._changed_at = 0.0
        self._active: ActiveWebConfig | None = None
        self._protections: frozenset[str] = frozenset()
        self._is_held = False
        self._warned = ""

    def check(self) -> None:
        """Read the file, and forget it. Raises `ConfigError`."""
        if self._path is not None:
            self._read(self._path)

    def current(self) -> ActiveWebConfig:
        """Return the configuration in force. The first call reads the file, and raises `ConfigError` if it is invalid.

        Later calls parse the file only after a change, and don't raise.
        """
        if self._path is None:
            return ActiveWebConfig(WebConfig(), None)
        with self._lock:
            if self._active is None:
                self._active, self._protections = self._read(self._path)
                self._warn_of_shortfalls(self._active)
            elif self._has_changed() or (self._is_held and self._is_settled()):
                self._active = self._read_again(self._path, self._active)
            return self._active

    def _has_changed(self) -> bool:
        return any(self._state_of(file) != state for file, state in self._states.items())

    def _is_settled(self) -> bool:
        return self._clock() - self._changed_at >= SETTLE

    def _read_again(self, path: Path, before: ActiveWebConfig) -> ActiveWebConfig:
        self._is_held = False
        try:
            active, protected = self._read(path)
        except ConfigError as error:
            self._warn("Invalid web configuration; keeping the last valid one", {"error": str(error)})
            return before
        lost = ", ".join(sorted(self._protections - protected))
        if lost and not self._is_settled():
            self._is_held = True
            message = "The changed web configuration protects less; waiting until the file stays unchanged"
            self._warn(message, {"lost": lost, "seconds": SETTLE})
            return before
        fields = {"file": str(path)} | ({"lost": lost} if lost else {})
        log.info("Read the changed web configuration", extra={"fields": fields})
        self._protections, self._warned = protected, ""
        self._warn_of_shortfalls(active)
        return active

    def _warn_of_shortfalls(self, active: ActiveWebConfig) -> None:
        for key, sentence in active.shortfalls:
            log.warning(sentence, extra={"fields": {"file": str(self._path), "key": key}})

    def _warn(self, message: str, fields: dict[str, object]) -> None:
        """Warn, unless the last warning since a change came into force was the same."""
        if str(fields) != self._warned:
            self._warned = str(fields)
            log.warning(message, extra={"fields": {"file": str(self._path), **fields}})

    def _read(self, path: Path) -> tuple[ActiveWebConfig, frozenset[str]]:
        """Return a configuration and what it protects. Raises `ConfigError`, also if a file changes meanwhile."""
        states = {path: self._state_of(path)}
        context: ssl.SSLContext | None = None
        shortfalls: tuple[Shortfall, ...] = ()
        try:
            config = load(path)
            if config.tls is not None:
                states |= {file: self._state_of(file) for file in config.tls.files}
                context, shortfalls = tls_context(config.tls)
        finally:
            if states != self._states:
                self._states, self._changed_at = states, self._clock()
        if self._has_changed():
            raise ConfigError(f"{path} or a certificate in it changed while it was read; wait until it is complete.")

        def certificates(pem: Pem) -> int:
            return certificates_in(pem.text) if pem.file is None else states[pem.file].certificates

        active = ActiveWebConfig(config, context, (*config.shortfalls, *shortfalls))
        return active, protections(config, certificates)
