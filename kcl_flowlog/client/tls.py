"""TLS for a client: whom it trusts, and the certificate that it shows.

Raises `ValueError` for a file that can't be used; its text names the file, and the caller says which option named that.
"""

from __future__ import annotations

import ssl
from pathlib import Path


def verifying_context(ca: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the authorities of a file, those of the system if none is given."""
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ValueError(f"{ca}: {_why(error, 'not certificates in PEM form')}") from None


def blind_context() -> ssl.SSLContext:
    """Return a context that trusts everybody, for requests without a secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def show_certificate(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    """Have a context show a certificate; the key may be in the same file."""
    try:
        context.load_cert_chain(cert, key, password="")
    except OSError as error:
        raise ValueError(f"{cert}: {_why(error, 'not a certificate and its unencrypted key in PEM form')}") from None


def _why(error: OSError, if_wrong: str) -> str:
    return if_wrong if isinstance(error, ssl.SSLError) else str(error.strerror)
