"""Reads the section `tls_server_config` of a web config.

Every mistake is a `ConfigError` that names file, line and key. Does not open the certificates that the section names.
"""

from __future__ import annotations

from pathlib import Path

from kcl_flowlog.values import one_of, parse_switch, parse_text
from kcl_flowlog.web.pem import Pem
from kcl_flowlog.web.tls import (
    CLIENT_AUTH_TYPES,
    CURVES,
    OLDEST_VERSION,
    TLS12_SUITES,
    TLS13_SUITES,
    VERSIONS,
    ClientCertificates,
    Tls,
)
from kcl_flowlog.web.web_config_keys import WEB_CONFIG_KEYS
from kcl_flowlog.yaml_file import Section

SECTION = "tls_server_config"

_KEYS = WEB_CONFIG_KEYS[SECTION]
_PEMS = ("cert", "key", "client_ca")
# An earlier name, which the toolkit still accepts.
_CLIENT_AUTH_NAMES = {**{name: name for name in CLIENT_AUTH_TYPES}, "RequireClientCert": "RequireAnyClientCert"}
_parse_client_auth, _parse_version = one_of(tuple(_CLIENT_AUTH_NAMES)), one_of(VERSIONS)
# HTTP/2 forbids all others but these of TLS 1.2, and requires them.
_HTTP2_SUITES = ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")


def read_tls(top: Section, directory: Path, http2: bool) -> Tls | None:
    """Return what the section asks for; None if it turns no TLS on, as it names nothing that needs TLS."""
    section = top.section(SECTION).allow(_KEYS)
    section.refuse_blanks(_KEYS)
    pems = {name: pem for name in _PEMS if (pem := _pem(section, name, directory)) is not None}
    # Like the toolkit: a section with nothing but versions, suites or curves turns no TLS on.
    if not pems and "client_auth_type" not in section and "client_allowed_sans" not in section:
        return None
    for name in ("cert", "key"):
        if name not in pems:
            raise top.error(SECTION, f"{name}_file or {name} is missing")
    tls = Tls(
        **pems,
        client_auth_type=_CLIENT_AUTH_NAMES[section.parsed("client_auth_type", _parse_client_auth, "NoClientCert")],
        client_allowed_sans=section.parsed_list("client_allowed_sans", parse_text),
        min_version=section.parsed("min_version", _parse_version, "TLS12"),
        max_version=section.parsed("max_version", _parse_version, "TLS13"),
        cipher_suites=section.parsed_list("cipher_suites", one_of((*TLS12_SUITES, *TLS13_SUITES))),
        curve_preferences=section.parsed_list("curve_preferences", one_of(tuple(CURVES))),
        prefer_server_cipher_suites=section.parsed("prefer_server_cipher_suites", parse_switch, "true"),
    )
    _check_client_certificates(section, tls)
    _check_versions(section, tls)
    _check_suites(section, tls, http2)
    return tls


def _pem(section: Section, name: str, directory: Path) -> Pem | None:
    file = f"{name}_file"
    if name in section and file in section:
        raise section.error(name, f"{file} is set as well; remove either of them")
    if file in section:
        return Pem(file, directory / section.text(file))
    return Pem(name, text=section.text(name)) if name in section else None


def _check_client_certificates(section: Section, tls: Tls) -> None:
    if tls.client_ca is not None and tls.client_auth_type == "NoClientCert":
        advice = "it has no effect without client_auth_type: RequireAndVerifyClientCert"
        raise section.error(tls.client_ca.key, advice)
    if tls.client_auth_type == "RequireAnyClientCert" and tls.client_ca is None:
        name = section.text("client_auth_type")
        raise section.error(
            "client_auth_type",
            f"Python's TLS can only demand what it can verify, so {name} would let everybody in;"
            " name client_ca_file, or set RequestClientCert if clients need no certificate",
        )
    if "client_allowed_sans" not in section:
        return
    if not tls.client_allowed_sans:
        raise section.error("client_allowed_sans", "the list is empty, so that every client would be refused")
    if tls.client_certificates is ClientCertificates.IGNORED:
        advice = "names of a certificate that is not verified prove nothing; set client_auth_type: "
        raise section.error("client_allowed_sans", advice + "RequireAndVerifyClientCert")


def _check_versions(section: Section, tls: Tls) -> None:
    if VERSIONS.index(tls.max_version) < VERSIONS.index(OLDEST_VERSION):
        raise section.error("max_version", f"this server speaks {OLDEST_VERSION} and newer versions only")
    if VERSIONS.index(tls.min_version) > VERSIONS.index(tls.max_version):
        key = "min_version" if "min_version" in section else "max_version"
        raise section.error(key, "min_version is above max_version")


def _check_suites(section: Section, tls: Tls, http2: bool) -> None:
    if not tls.cipher_suites or tls.min_version == "TLS13":
        return
    # Not for this server, but the file would not do for exporters that speak HTTP/2.
    if http2 and not set(_HTTP2_SUITES) & set(tls.cipher_suites):
        what = f"{' or '.join(_HTTP2_SUITES)} is missing, which HTTP/2 needs; add it, or set http2: false"
        raise section.error("cipher_suites", what)
    if tls.max_version == "TLS12" and not set(TLS12_SUITES) & set(tls.cipher_suites):
        raise section.error("cipher_suites", "none of the suites is for max_version: TLS12")
