"""The SSL context of a server, made from the settings of `tls_server_config`.

What Python's TLS can't do is done more narrowly than asked, if that is possible, and is a `Shortfall`. Raises
`ConfigError` if a file is missing or does not fit. Knows nothing of YAML or HTTP.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.pem import Pem
from kcl_flowlog.web.shortfall import Shortfall
from kcl_flowlog.web.tls import CURVES, OLDEST_VERSION, TLS12_SUITES, TLS13_SUITES, VERSIONS, ClientCertificates, Tls

_OPTION = "--web.config.file"
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_VERIFY_MODES = {
    ClientCertificates.IGNORED: ssl.CERT_NONE,
    ClientCertificates.OPTIONAL: ssl.CERT_OPTIONAL,
    ClientCertificates.REQUIRED: ssl.CERT_REQUIRED,
}
# The curve that every client knows.
_COMMON_CURVE = "CurveP256"


def tls_context(tls: Tls) -> tuple[ssl.SSLContext, tuple[Shortfall, ...]]:
    """Read the certificates, and return a server's context with its shortfalls. Raises `ConfigError`."""
    _check_readable(tls)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    _load_certificates(context, tls)
    return context, tuple(shortfall for step in _STEPS for shortfall in step(context, tls))


def _check_readable(tls: Tls) -> None:
    """OpenSSL's own errors don't name the file."""
    for file in tls.files:
        try:
            file.open("rb").close()
        except OSError as error:
            raise ConfigError(f"{_OPTION}: cannot read {file}: {error.strerror}.") from None


def _load_certificates(context: ssl.SSLContext, tls: Tls) -> None:
    # `OSError` includes `ssl.SSLError`, and a file that vanished since it was checked.
    try:
        with tls.cert.path() as cert, tls.key.path() as key:
            # With a password given, OpenSSL does not ask for an encrypted key's password on the terminal.
            context.load_cert_chain(cert, key, password="")
    except OSError:
        raise ConfigError(
            f"{_OPTION}: {tls.cert} and {tls.key} are not a certificate and its unencrypted key in PEM form."
        ) from None
    if tls.client_ca is not None:
        _load_authorities(context, tls.client_ca)


def _load_authorities(context: ssl.SSLContext, authorities: Pem) -> None:
    try:
        with authorities.path() as path:
            context.load_verify_locations(path)
    except OSError:
        raise ConfigError(f"{_OPTION}: {authorities} holds no certificates in PEM form.") from None


def _set_versions(context: ssl.SSLContext, tls: Tls) -> Iterator[Shortfall]:
    oldest = tls.min_version
    if VERSIONS.index(oldest) < VERSIONS.index(OLDEST_VERSION):
        yield Shortfall("min_version", f"This server speaks no {oldest}; the oldest version is {OLDEST_VERSION}")
        oldest = OLDEST_VERSION
    if tls.cipher_suites and not _tls12_suites(tls):
        oldest = "TLS13"
    context.minimum_version, context.maximum_version = _VERSIONS[oldest], _VERSIONS[tls.max_version]


def _set_suites(context: ssl.SSLContext, tls: Tls) -> Iterator[Shortfall]:
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    chosen = set(TLS13_SUITES) & set(tls.cipher_suites)
    if chosen and len(chosen) < len(TLS13_SUITES):
        sentence = "Python's TLS can't choose among the suites of TLS 1.3; all of them are on, as in other exporters"
        yield Shortfall("cipher_suites", sentence)
    names = {TLS12_SUITES[suite]: suite for suite in _tls12_suites(tls)}
    if not names:
        return
    try:
        context.set_ciphers(":".join(names))
    except ssl.SSLError:
        raise ConfigError(f"{_OPTION}: this machine's OpenSSL has none of the cipher_suites of TLS 1.2.") from None
    missing = sorted(suite for name, suite in names.items() if name not in _names(context.get_ciphers()))
    if missing:
        yield Shortfall("cipher_suites", f"This machine's OpenSSL lacks {', '.join(missing)}; the others are on")


def _tls12_suites(tls: Tls) -> list[str]:
    return [suite for suite in tls.cipher_suites if suite in TLS12_SUITES]


def _names(ciphers: Collection[Mapping[str, Any]]) -> set[str]:
    return {cipher["name"] for cipher in ciphers}


def _set_curves(context: ssl.SSLContext, tls: Tls) -> Iterator[Shortfall]:
    curves = tuple(dict.fromkeys(tls.curve_preferences))
    set_groups = getattr(context, "set_groups", None)
    if set_groups is not None and curves:
        # New in Python 3.15.
        set_groups(":".join(CURVES[curve] for curve in curves))
    elif curves:
        yield from _set_curve(context, sorted(curves, key=lambda curve: curve != _COMMON_CURVE))


def _set_curve(context: ssl.SSLContext, curves: Sequence[str]) -> Iterator[Shortfall]:
    """Choose the first curve that can be chosen."""
    for used in curves:
        try:
            context.set_ecdh_curve(CURVES[used])
        except (ssl.SSLError, ValueError):
            # Python 3.10 knows only curves with equations of Weierstrass' form.
            continue
        if len(curves) > 1:
            sentence = f"This Python's TLS can use one curve only; it uses {used}, and clients without it are refused"
            yield Shortfall("curve_preferences", sentence)
        return
    yield Shortfall("curve_preferences", f"This Python's TLS can't choose {', '.join(curves)}; all curves stay on")


def _demand_client_certificates(context: ssl.SSLContext, tls: Tls) -> Iterator[Shortfall]:
    kind, demand = tls.client_auth_type, tls.client_certificates
    context.verify_mode = _VERIFY_MODES[demand]
    if demand is not ClientCertificates.IGNORED and tls.client_ca is None:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        yield Shortfall(
            "client_auth_type",
            f"{kind} without client_ca_file accepts certificates of every authority that this machine trusts",
        )
    if kind == "RequireAnyClientCert":
        sentence = (
            f"Python's TLS can't demand a certificate unverified; with {kind} it has to be of client_ca_file, too"
        )
        yield Shortfall("client_auth_type", sentence)
    elif kind == "RequestClientCert":
        sentence = f"Python's TLS can't ask for a certificate unverified; with {kind} clients need none"
        yield Shortfall("client_auth_type", sentence)
    if tls.client_allowed_sans:
        context.sslsocket_class = _socket_for(frozenset(tls.client_allowed_sans))


def _socket_for(allowed: frozenset[str]) -> type[ssl.SSLSocket]:
    """Return the class of sockets whose handshake fails unless the client's certificate has an allowed name."""

    class SocketForNames(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            if allowed.isdisjoint(alternate_names(self.getpeercert() or {})):
                raise ssl.SSLCertVerificationError("the client's certificate has no name of client_allowed_sans")

    return SocketForNames


def alternate_names(certificate: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names, mail addresses, IP addresses and URIs of a certificate as `getpeercert` returns it."""
    for kind, name in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            # OpenSSL writes IPv6 in capitals and in full, and an address of a wrong length as a remark.
            with suppress(ValueError):
                yield str(ipaddress.ip_address(name.strip()))
        elif kind in ("DNS", "email", "URI"):
            yield name


_STEPS: tuple[Callable[[ssl.SSLContext, Tls], Iterator[Shortfall]], ...] = (
    _set_versions,
    _set_suites,
    _set_curves,
    _demand_client_certificates,
)
