"""TLS for the health check: a client that shows a certificate if it must, and verifies none.

Whatever certificate the instance shows, the health check sends it nothing but the name of a page. Raises `Unhealthy`
if a given certificate can't be read.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from kcl_flowlog.client.tls import blind_context, show_certificate
from kcl_flowlog.errors import ConfigError, Unhealthy


def client_context(cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Return the context of a client, with a certificate if one is given; the key may be in the same file."""
    context = blind_context()
    if cert is not None:
        try:
            show_certificate(context, cert, key)
        except ValueError as error:
            raise Unhealthy(f"--client-cert {error}; check it and --client-key.") from None
    return context


def own_context(web_config_file: Path | None) -> ssl.SSLContext | None:
    """Return the context of a client with the certificate of the instance, which often comes from the same authority.

    Returns None if the web config names no certificate, or is invalid at the moment.
    """
    if web_config_file is None:
        return None
    # Not earlier: it needs the library for YAML, which takes long to import.
    from kcl_flowlog.web import web_config

    try:
        tls = web_config.load(web_config_file).tls
        if tls is None:
            return None
        with tls.cert.path() as cert, tls.key.path() as key:
            return client_context(cert, key)
    except (ConfigError, Unhealthy):
        return None
