"""Web configs that the exporter-toolkit accepts or refuses: the same outcome here, or a stricter one on purpose."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.web_config_keeper import SETTLE, WebConfigKeeper
from tests.support.certificates import Authority
from tests.support.handshake import shake_hands
from tests.support.log_records import fields
from tests.support.web import Write

PAIR = "cert_file: crt, key_file: key"
FILES = "tls_server_config: {" + PAIR
IF_GIVEN = FILES + ", client_auth_type: VerifyClientCertIfGiven"
REQUIRED = FILES + ", client_auth_type: RequireAndVerifyClientCert"
ANY = FILES + ", client_auth_type: RequireAnyClientCert"
SMALL_SUITE = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
LARGE_SUITE = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
HASH = "$2y$10$" + "a" * 53


@pytest.fixture(autouse=True)
def certificates(authority: Authority, tmp_path: Path) -> None:
    """The files `crt`, `key`, `ca` and `empty` beside the web config."""
    issued = authority.issue("server")
    (tmp_path / "other").mkdir()
    foreign = Authority(tmp_path / "other").issue("server")
    sources = {"crt": issued.cert, "key": issued.key, "ca": authority.cert, "crt2": foreign.cert, "key2": foreign.key}
    for name, source in sources.items():
        (tmp_path / name).write_bytes(source.read_bytes())
    (tmp_path / "empty").touch()


def inlined(text: str, tmp_path: Path) -> str:
    """Put the contents of a file in place of `<name>`, as a double-quoted text."""
    for name in ("crt", "key", "ca", "crt2", "key2"):
        content = (tmp_path / name).read_text().replace("\n", "\\n")
        text = text.replace(f"<{name}>", f'"{content}"')
    return text


ACCEPTED = {
    "files": FILES + "}",
    "texts": "tls_server_config: {cert: <crt>, key: <key>}",
    "a file and a text": "tls_server_config: {cert_file: crt, key: <key>, client_auth_type: VerifyClientCertIfGiven}",
    "authorities as a text": REQUIRED + ", client_ca: <ca>}",
    "no demand": FILES + ", client_auth_type: NoClientCert}",
    "a wish": FILES + ", client_auth_type: RequestClientCert}",
    "a certificate of authorities": ANY + ", client_ca_file: ca}",
    "the same by its earlier name": FILES + ", client_auth_type: RequireClientCert, client_ca: <ca>}",
    "verified if given": IF_GIVEN + "}",
    "verified": REQUIRED + ", client_ca_file: ca}",
    "verified by authorities of the machine": REQUIRED + "}",
    "names of clients": REQUIRED + ", client_ca_file: ca, client_allowed_sans: [one, two]}",
    "all suites": IF_GIVEN
    + ", cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,"
    " TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,"
    " TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,"
    " TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256,"
    " TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,"
    " TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]}",
    "the client's order": FILES
    + f", cipher_suites: [{LARGE_SUITE}, {SMALL_SUITE}], prefer_server_cipher_suites: false, max_version: TLS12}}",
    "suites without HTTP/2": FILES + f", cipher_suites: [{LARGE_SUITE}]}}\nhttp_server_config: {{http2: false}}",
    "all curves": IF_GIVEN + ", curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]}",
    "a curve": IF_GIVEN + ", curve_preferences: [CurveP521], min_version: TLS13}",
    "an old version": FILES + ", min_version: TLS10}",
    "versions": FILES + ", min_version: TLS12, max_version: TLS13}",
    "headers": "http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=1,"
    " X-Content-Type-Options: nosniff, X-XSS-Protection: 1, Content-Security-Policy: default-src 'self'}}",
    "other values of headers": "http_server_config: {headers: {X-Frame-Options: sameorigin}}",
    "users": FILES + f"}}\nbasic_auth_users: {{a: {HASH}, b: {HASH.replace('$10', '$18')}}}",
    "users without TLS": f"basic_auth_users: {{a: {HASH}}}",
    "no limit": "rate_limit: {interval: 0, burst: 0}",
    "a limit": 'rate_limit: {interval: "1s", burst: 20}',
}
REFUSED = {
    "not a mapping": ("one\ntwo\n", "expected keys with values"),
    "an unknown key": ("tls_server_config: {cert_filse: crt}", "unknown key 'cert_filse'; did you mean 'cert_file'?"),
    "an empty cert_file": ("tls_server_config: {cert_file: '', key_file: key}", "cert_file: nothing follows"),
    "an empty cert": ("tls_server_config: {cert: '', key_file: key}", "cert: nothing follows"),
    "an empty key_file": ("tls_server_config: {cert_file: crt, key_file: ''}", "key_file: nothing follows"),
    "an empty key": ("tls_server_config: {cert_file: crt, key: ''}", "key: nothing follows"),
    "no cert": ("tls_server_config: {key_file: key}", "cert_file or cert is missing"),
    "no key": ("tls_server_config: {cert_file: crt}", "key_file or key is missing"),
    "nothing but a demand": ("tls_server_config: {client_auth_type: NoClientCert}", "cert_file or cert is missing"),
    "a missing cert_file": ("tls_server_config: {cert_file: none, key_file: key}", "none: No such file"),
    "a missing key_file": ("tls_server_config: {cert_file: crt, key_file: none}", "none: No such file"),
    "a key that is a certificate": (
        "tls_server_config: {cert: <crt>, key: <crt>}",
        "cert and key are not a certificate",
    ),
    "a missing client_ca_file": (REQUIRED + ", client_ca_file: none}", "none: No such file"),
    "authorities without a demand": (FILES + ", client_ca_file: ca}", "client_ca_file: it has no effect without"),
    "an unknown demand": (FILES + ", client_auth_type: x}", "'x' is not one of: NoClientCert"),
    "an unknown suite": (IF_GIVEN + ", cipher_suites: [TLS_AES_128_GCM_SHA2048]}", "is not one of: TLS_ECDHE_ECDSA"),
    "an unknown curve": (IF_GIVEN + ", curve_preferences: [CurveP257]}", "is not one of: CurveP256"),
    "an unknown version": (IF_GIVEN + ", min_version: TLS111}", "'TLS111' is not one of: TLS10"),
    "suites that HTTP/2 can't use": (FILES + f", cipher_suites: [{LARGE_SUITE}]}}", "which HTTP/2 needs"),
    "a password": (FILES + "}\nbasic_auth_users: {john: doe}", "not a bcrypt hash"),
    "an unknown header": ("http_server_config: {headers: {Content-Type: foo}}", "cannot set this header"),
    "a value of a header": ("http_server_config: {headers: {X-Frame-Options: foo}}", "'foo' is not a valid value"),
    "sniffing": ("http_server_config: {headers: {X-Content-Type-Options: sniff}}", "'sniff' is not a valid value"),
    "a limit that refuses everything": ('rate_limit: {interval: "1s", burst: 0}', "every request would be refused"),
}
STRICTER = {
    "an empty file": ("", "sets nothing"),
    "an emptied section": ("basic_auth_users:", "nothing follows"),
    "an emptied key": (REQUIRED + ", client_ca_file: ''}", "nothing follows"),
    "a file and its text": (
        "tls_server_config: {cert_file: crt, cert: <crt>, key_file: key}",
        "cert_file is set as well",
    ),
    "authorities without a certificate": (REQUIRED + ", client_ca_file: empty}", "holds no certificates"),
    "names without verification": (FILES + ", client_allowed_sans: [one]}", "prove nothing"),
    "any certificate": (ANY + "}", "client_auth_type: Python's TLS can only demand what it can verify"),
    "any certificate, by its earlier name": (
        FILES + ", client_auth_type: RequireClientCert}",
        "so RequireClientCert would let everybody in; name client_ca_file",
    ),
    "any certificate with a name": (ANY + ", client_allowed_sans: [one]}", "name client_ca_file"),
    "no names": (REQUIRED + ", client_allowed_sans: []}", "the list is empty"),
    "versions that exclude each other": (FILES + ", min_version: TLS13, max_version: TLS12}", "min_version is above"),
    "only old versions": (FILES + ", max_version: TLS11}", "TLS12 and newer versions only"),
    "nanoseconds": ("rate_limit: {interval: 1000000000, burst: 1}", "is not a duration"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_the_toolkit_accepts_is_accepted(write: Write, tmp_path: Path, name: str) -> None:
    WebConfigKeeper(str(write(inlined(ACCEPTED[name], tmp_path)))).current()


@pytest.mark.parametrize(("text", "sentence"), [*REFUSED.values(), *STRICTER.values()], ids=[*REFUSED, *STRICTER])
def test_what_the_toolkit_refuses_is_refused(write: Write, tmp_path: Path, text: str, sentence: str) -> None:
    """So is more: what protects less than it seems to, and what looks like a file that is cut off."""
    keeper = WebConfigKeeper(str(write(inlined(text, tmp_path))))

    with pytest.raises(ConfigError) as refused:
        keeper.current()

    assert sentence in str(refused.value)


# Reload

Contexts = Callable[[Authority], ssl.SSLContext]


def anonymous(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.cert)


def known(authority: Authority) -> ssl.SSLContext:
    context = anonymous(authority)
    issued = authority.issue("client")
    context.load_cert_chain(issued.cert, issued.key)
    return context


def on_p384(authority: Authority) -> ssl.SSLContext:
    context = anonymous(authority)
    context.set_ecdh_curve("secp384r1")
    return context


def with_tls12(authority: Authority) -> ssl.SSLContext:
    context = anonymous(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def with_tls13(authority: Authority) -> ssl.SSLContext:
    context = anonymous(authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def with_small_suite(authority: Authority) -> ssl.SSLContext:
    context = with_tls12(authority)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    return context


@dataclass
class Change:
    """What is in the file before and after a change, and a client that gets in only with the first."""

    before: str
    after: str
    client: Contexts = field(default=anonymous)


HTTP1 = "\nhttp_server_config: {http2: false}"
NAMED = REQUIRED + ", client_ca_file: ca, client_allowed_sans: "
CHANGES = {
    "cert": Change("tls_server_config: {cert: <crt>, key: <key>}", "tls_server_config: {cert: <crt2>, key: <key2>}"),
    "client_auth_type": Change(IF_GIVEN + ", client_ca_file: ca}", REQUIRED + ", client_ca_file: ca}"),
    "client_ca": Change(REQUIRED + ", client_ca: <ca>}", REQUIRED + ", client_ca: <crt>}", known),
    "client_allowed_sans": Change(NAMED + "[127.0.0.1]}", NAMED + "[10.0.0.1]}", known),
    "cipher_suites": Change(
        FILES + f", cipher_suites: [{SMALL_SUITE}]}}",
        FILES + f", cipher_suites: [{LARGE_SUITE}]}}" + HTTP1,
        with_small_suite,
    ),
    "curve_preferences": Change(
        FILES + ", curve_preferences: [CurveP384]}", FILES + ", curve_preferences: [CurveP521]}", on_p384
    ),
    "min_version": Change(FILES + "}", FILES + ", min_version: TLS13}", with_tls12),
    "max_version": Change(FILES + "}", FILES + ", max_version: TLS12}", with_tls13),
}


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_key_is_in_force_without_a_restart(
    write: Write, tmp_path: Path, authority: Authority, key: str
) -> None:
    """For the next handshake, as soon as the file has stayed unchanged if it protects less."""
    now = [1000.0]
    change = CHANGES[key]
    keeper = WebConfigKeeper(str(write(inlined(change.before, tmp_path))), lambda: now[0])
    client = change.client(authority)

    before = keeper.current().context
    write(inlined(change.after, tmp_path))
    keeper.current()
    now[0] += SETTLE
    after = keeper.current().context

    assert before is not None
    assert after is not None
    assert [True, False] == [bool(shake_hands(context, client).version) for context in (before, after)]


@pytest.mark.parametrize("before", [FILES + "}", ANY + ", client_ca_file: ca}", REQUIRED + ", client_ca_file: ca}"])
def test_a_demand_that_can_not_be_met_is_never_in_force(
    write: Write, before: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever was before stays, however long the file asks for it, and a warning says why."""
    now = [1000.0]
    keeper = WebConfigKeeper(str(write(before)), lambda: now[0])
    first = keeper.current()
    caplog.clear()

    write(ANY + "}")
    for _ in range(3):
        now[0] += SETTLE
        assert first is keeper.current()

    (record,) = caplog.records
    assert "Invalid web configuration; keeping the last valid one" == record.getMessage()
    assert "would let everybody in" in fields(record)["error"]


def test_what_tls_can_not_do_is_one_warning_at_the_start_and_at_each_change(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    """Not with each request."""
    caplog.set_level(logging.WARNING)
    curves = FILES + ", curve_preferences: [CurveP521, CurveP384]}"
    old = FILES + ", curve_preferences: [CurveP521, CurveP384], min_version: TLS11}"
    texts = (curves + "\nhttp_server_config: {http2: true}", curves + HTTP1, old)
    keeper = WebConfigKeeper(str(write(texts[0])))

    warned = []
    for text in texts:
        write(text)
        caplog.clear()
        for _ in range(3):
            keeper.current()
        warned.append([(record.fields["key"], record.getMessage()) for record in caplog.records])  # type: ignore[attr-defined]

    one_curve = "This Python's TLS can use one curve only; it uses CurveP521, and clients without it are refused"
    no_http2 = "This server speaks HTTP/1.1 only; clients that prefer HTTP/2 use HTTP/1.1"
    no_tls11 = "This server speaks no TLS11; the oldest version is TLS12"
    expected = [("curve_preferences", one_curve)]
    assert [[("http2", no_http2), *expected], expected, [("min_version", no_tls11), *expected]] == warned
