"""TLS for the HTTP server, without a handshake in its accept loop.

cheroot's own adapter shakes hands while it accepts, so that one client that
connects and says nothing keeps every scrape waiting. Here the handshake
happens at the first read, in the thread that serves the connection.
"""

from __future__ import annotations

import ssl
from typing import Any

from cheroot.ssl.builtin import BuiltinSSLAdapter

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.webconfig import Tls


class LazyTlsAdapter(BuiltinSSLAdapter):
    """Wraps accepted sockets with a context of ours. Raises `ConfigError` for files that are no certificates."""

    def __init__(self, tls: Tls) -> None:
        # The parent's constructor makes a context of its own, with settings that we don't take.
        self.context = context(tls)

    def wrap(self, sock: Any) -> tuple[ssl.SSLSocket, dict[str, str]]:
        """Return the socket with TLS to come, and its part of the WSGI environment."""
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


def context(tls: Tls) -> ssl.SSLContext:
    """Return a server's context."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = tls.min_version
    made.maximum_version = tls.max_version
    load(made, tls)
    return made


def load(into: ssl.SSLContext, tls: Tls) -> None:
    """Take the certificates from their files; connections from now on use them."""
    try:
        into.load_cert_chain(tls.cert_file, tls.key_file)
        into.verify_mode = tls.client_auth
        if tls.client_ca_file is not None:
            into.load_verify_locations(tls.client_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"--web.config.file: the certificates can't be used ({error}).") from error
