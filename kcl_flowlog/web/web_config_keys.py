"""Every key of the web config, by section: what the parser allows, and the tables in docs/security.md."""

from __future__ import annotations

from collections.abc import Mapping

WEB_CONFIG_KEYS: Mapping[str, Mapping[str, str]] = {
    "tls_server_config": {
        "cert_file": "File of the server's certificate and intermediates.",
        "cert": "The same as text, instead of the file.",
        "key_file": "File of its unencrypted key.",
        "key": "The same as text, instead of the file.",
        "client_auth_type": "What clients have to show, see below. Default: `NoClientCert`.",
        "client_ca_file": "File of the authorities of client certificates. Default: those that the machine trusts, with a warning.",
        "client_ca": "The same as text, instead of the file.",
        "client_allowed_sans": "A client's certificate must have one of these names (DNS, mail, IP, URI), exactly; needs a verified certificate.",
        "min_version": "`TLS12` (the default) or `TLS13`; `TLS10` and `TLS11` mean `TLS12`, with a warning.",
        "max_version": "`TLS12` or `TLS13` (the default).",
        "cipher_suites": "Suites of TLS 1.2, by the names of Go. Those of TLS 1.3 are always on; a list of only a few of them is a warning.",
        "curve_preferences": "`CurveP256`, `CurveP384`, `CurveP521`, `X25519`. Before Python 3.15 only one is used: `CurveP256` if it is listed, else the first, with a warning.",
        "prefer_server_cipher_suites": "`false` lets the client choose among `cipher_suites`. Default: `true`.",
    },
    "http_server_config": {
        "http2": "Turns HTTP/2 on in exporters that have it. This server speaks HTTP/1.1 only; `true` is a warning. Unless `false`, `cipher_suites` must have a suite that HTTP/2 needs.",
        "headers": "Headers of all responses: `Strict-Transport-Security`, `X-Content-Type-Options` (`nosniff`), `X-Frame-Options` (`deny`, `sameorigin`), `X-XSS-Protection`, `Content-Security-Policy`. A blank header is not sent.",
    },
    "basic_auth_users": {
        "NAME": "The bcrypt hash of the user's password.",
    },
    "rate_limit": {
        "interval": "Time after which an address may send another request, such as `1s`; 0 means no limit.",
        "burst": "Requests that an address may send at once.",
    },
}

CLIENT_AUTH: Mapping[str, tuple[str, str]] = {
    "NoClientCert": ("no certificate", ""),
    "RequestClientCert": ("no certificate; none is looked at, as in other exporters", "yes"),
    "RequireAnyClientCert": ("a certificate of the authorities; without `client_ca_file` it is refused", "yes"),
    "VerifyClientCertIfGiven": ("no certificate, or a certificate of the authorities", "without `client_ca_file`"),
    "RequireAndVerifyClientCert": ("a certificate of the authorities", "without `client_ca_file`"),
}
"""What clients have to show for each `client_auth_type`, and when there is a warning."""
