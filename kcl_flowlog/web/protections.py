"""What a web configuration protects, as names that can be compared and logged.

Two configurations differ in protection if a name is in one and not in the
other. Knows neither files nor servers, and raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kcl_flowlog.web.pem import Pem
from kcl_flowlog.web.tls import ClientCertificates, Tls
from kcl_flowlog.web.web_config import WebConfig


def protections(config: WebConfig, certificates: Callable[[Pem], int]) -> frozenset[str]:
    """Return the names of all that is protected. `certificates` tells how many certificates there are."""
    users = (f"user {name}" for name in config.users)
    headers = (f"header {name}" for name, _ in config.headers)
    limit = ("rate_limit",) if config.rate_limit is not None else ()
    tls = _of_tls(config.tls, certificates) if config.tls is not None else ()
    return frozenset((*users, *headers, *limit, *tls))


def _of_tls(tls: Tls, certificates: Callable[[Pem], int]) -> Iterator[str]:
    yield "TLS"
    if tls.client_certificates is ClientCertificates.REQUIRED:
        yield "client certificates"
    if tls.min_version == "TLS13":
        yield "min_version TLS13"
    for key in ("client_allowed_sans", "cipher_suites", "curve_preferences"):
        if getattr(tls, key):
            yield key
    # Half of a file can hold a certificate that fits the key, without the intermediates or authorities after it.
    for name, pem in (("cert", tls.cert), ("client_ca", tls.client_ca)):
        if pem is not None:
            for number in range(1, certificates(pem) + 1):
                yield f"certificate {number} of {name}"
