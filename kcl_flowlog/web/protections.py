"""What a web configuration protects, as names that can be compared and logged.

Two configurations differ in protection if a name is in one and not in the
other. Knows neither files nor servers, and raises nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

from kcl_flowlog.web.tls import Tls
from kcl_flowlog.web.web_config import WebConfig


def protections(config: WebConfig, certificates: Mapping[Path, int]) -> frozenset[str]:
    """Return the names of all that is protected. `certificates` tells how many certificates each file holds."""
    users = (f"user {name}" for name in config.users)
    headers = (f"header {name}" for name, _ in config.headers)
    limit = ("rate_limit",) if config.rate_limit is not None else ()
    tls = _of_tls(config.tls, certificates) if config.tls is not None else ()
    return frozenset((*users, *headers, *limit, *tls))


def _of_tls(tls: Tls, certificates: Mapping[Path, int]) -> Iterator[str]:
    yield "TLS"
    if tls.client_auth is ssl.CERT_REQUIRED:
        yield "client certificates"
    if tls.min_version is ssl.TLSVersion.TLSv1_3:
        yield "min_version TLS13"
    # Half of a file can hold a certificate that fits the key, without the intermediates or authorities after it.
    for key, file in (("cert_file", tls.cert_file), ("client_ca_file", tls.client_ca_file)):
        if file is not None:
            for number in range(1, certificates[file] + 1):
                yield f"certificate {number} of {key}"
