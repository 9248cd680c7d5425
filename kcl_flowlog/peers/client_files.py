"""The files by which an instance trusts its peers, and they trust it. Read for each request, so that they may change.

Every peer gets the user and password, also a peer that would not ask for them. Over `http://` nobody has to prove that
it is a peer.
Raises `ConfigError`, whose sentence names the option and what to do, and never the content of a file.
"""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import NamedTuple

from kcl_flowlog.client.tls import show_certificate, verifying_context
from kcl_flowlog.errors import ConfigError

_MOST_BYTES = 4096


class Access(NamedTuple):
    """What a request needs: a context for TLS, and the value of its `Authorization` header, empty without a user."""

    context: ssl.SSLContext | None
    authorization: str


class ClientFiles(NamedTuple):
    """The files of `--peers-ca`, `--peers-client-cert`, `--peers-client-key` and `--peers-credentials`."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    credentials: Path | None = None

    def read(self, has_tls: bool) -> Access:
        """Read the files; those of TLS only if it is used. Raises `ConfigError`."""
        if self.key is not None and self.cert is None:
            raise ConfigError("--peers-client-key has no use without --peers-client-cert; name both files.")
        return Access(self._context() if has_tls else None, self._authorization())

    def _context(self) -> ssl.SSLContext:
        try:
            context = verifying_context(self.ca)
        except ValueError as error:
            raise ConfigError(f"--peers-ca {error}; check it.") from None
        if self.cert is not None:
            try:
                show_certificate(context, self.cert, self.key)
            except ValueError as error:
                raise ConfigError(f"--peers-client-cert {error}; check it and --peers-client-key.") from None
        return context

    def _authorization(self) -> str:
        if self.credentials is None:
            return ""
        try:
            with self.credentials.open("rb") as file:
                line = file.read(_MOST_BYTES).rstrip(b"\r\n")
        except OSError as error:
            raise ConfigError(f"--peers-credentials {self.credentials} can't be read: {error.strerror}.") from None
        if b":" not in line or b"\n" in line:
            raise ConfigError(f"--peers-credentials {self.credentials} is not one line of the form user:password.")
        return "Basic " + base64.b64encode(line).decode()
