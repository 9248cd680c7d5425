"""Writes the trust store of Java: a file of certificates in the format JKS, which every Java reads without a password.

Pure. Needs no tool of a JDK, which a small runtime may lack.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

_MAGIC, _VERSION = 0xFEEDFEED, 2
_TRUSTED_CERTIFICATE = 2
_CREATED_AT = 0
# The format's own salt. The certificates are no secret, and Java checks this sum only if it is given the password.
_SALT, _PASSWORD = b"Mighty Aphrodite", "changeit"


def jks(certificates: Sequence[bytes]) -> bytes:
    """Return the trust store that holds these certificates, each in DER."""
    data = struct.pack(">III", _MAGIC, _VERSION, len(certificates))
    for number, certificate in enumerate(certificates):
        data += struct.pack(">I", _TRUSTED_CERTIFICATE) + _text(str(number)) + struct.pack(">Q", _CREATED_AT)
        data += _text("X.509") + struct.pack(">I", len(certificate)) + certificate
    # SHA-1 is the format's.
    return data + hashlib.sha1(_PASSWORD.encode("utf-16-be") + _SALT + data, usedforsecurity=False).digest()


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode("ascii")
