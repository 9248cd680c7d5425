"""SSL contexts from the settings of `tls_server_config`."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.pem import Pem
from kcl_flowlog.web.tls import CLIENT_AUTH_TYPES, CURVES, TLS12_SUITES, TLS13_SUITES, Tls
from kcl_flowlog.web.tls_context import alternate_names, tls_context
from tests.support.certificates import Authority
from tests.support.handshake import shake_hands

GCM = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
LARGE = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
VERIFY = "RequireAndVerifyClientCert"


@pytest.fixture
def tls(authority: Authority) -> Tls:
    """A certificate and its key, and nothing else."""
    issued = authority.issue("server")
    return Tls(Pem("cert_file", issued.cert), Pem("key_file", issued.key))


@pytest.fixture
def client_ca(authority: Authority) -> Pem:
    """The authority of the clients."""
    return Pem("client_ca_file", authority.cert)


def client(authority: Authority, with_certificate: bool = False, hosts: tuple[str, ...] = ()) -> ssl.SSLContext:
    """Return the context of a client that trusts the authority."""
    context = ssl.create_default_context(cafile=authority.cert)
    if with_certificate:
        issued = authority.issue("client", hosts=hosts)
        context.load_cert_chain(issued.cert, issued.key)
    return context


def test_the_default_is_tls_1_2_or_newer_without_client_certificates(tls: Tls) -> None:
    """A certificate and its key are enough."""
    context, shortfalls = tls_context(tls)

    assert (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, ssl.CERT_NONE, ()) == (
        context.minimum_version,
        context.maximum_version,
        context.verify_mode,
        shortfalls,
    )
    assert context.options & ssl.OP_CIPHER_SERVER_PREFERENCE


@pytest.mark.parametrize(
    ("asked", "expected", "shortfall"),
    [
        ({"min_version": "TLS13"}, (13, 13), ""),
        ({"max_version": "TLS12"}, (12, 12), ""),
        ({"min_version": "TLS10"}, (12, 13), "This server speaks no TLS10; the oldest version is TLS12"),
        ({"min_version": "TLS11"}, (12, 13), "This server speaks no TLS11; the oldest version is TLS12"),
        # Without a suite there is no TLS 1.2.
        ({"cipher_suites": TLS13_SUITES}, (13, 13), ""),
    ],
)
def test_versions(tls: Tls, asked: dict[str, Any], expected: tuple[int, int], shortfall: str) -> None:
    """Older versions than this server speaks are a warning."""
    context, shortfalls = tls_context(replace(tls, **asked))

    versions = {12: ssl.TLSVersion.TLSv1_2, 13: ssl.TLSVersion.TLSv1_3}
    assert [versions[number] for number in expected] == [context.minimum_version, context.maximum_version]
    assert [shortfall] * bool(shortfall) == [found.sentence for found in shortfalls]


# Cipher suites and curves


@pytest.mark.parametrize(
    ("asked", "prefers_own", "known", "expected"),
    [
        ((GCM, LARGE), True, (LARGE, GCM), GCM),
        ((LARGE, GCM), True, (GCM, LARGE), LARGE),
        ((LARGE, GCM), False, (GCM, LARGE), GCM),
        ((GCM,), True, (LARGE, GCM), GCM),
        ((GCM,), True, (LARGE,), ""),
        (tuple(TLS12_SUITES), True, (LARGE,), LARGE),
    ],
)
def test_suites_of_tls_1_2(
    tls: Tls, authority: Authority, asked: tuple[str, ...], prefers_own: bool, known: tuple[str, ...], expected: str
) -> None:
    """The server's order decides, or the client's. Without a common suite there is no handshake."""
    context, shortfalls = tls_context(
        replace(tls, cipher_suites=asked, prefer_server_cipher_suites=prefers_own, max_version="TLS12")
    )
    asking = client(authority)
    asking.set_ciphers(":".join(TLS12_SUITES[suite] for suite in known))

    shaken = shake_hands(context, asking)

    assert (TLS12_SUITES.get(expected, ""), ()) == (shaken.suite, shortfalls)


def test_suites_of_tls_1_3_stay_on(tls: Tls, authority: Authority) -> None:
    """A list of some of them is a warning; all of them or none is what happens anyway."""
    shortfalls = {}
    for suites in ((GCM,), (GCM, *TLS13_SUITES), (GCM, TLS13_SUITES[0])):
        context, shortfalls[suites] = tls_context(replace(tls, cipher_suites=suites))
        assert "TLSv1.3" == shake_hands(context, client(authority)).version

    *silent, warned = shortfalls.values()
    sentence = "Python's TLS can't choose among the suites of TLS 1.3; all of them are on, as in other exporters"
    assert ([(), ()], (("cipher_suites", sentence),)) == (silent, warned)


def test_suites_that_openssl_lacks_are_a_warning_or_a_mistake(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a build for FIPS."""
    monkeypatch.setitem(TLS12_SUITES, LARGE, "NO-SUCH-SUITE")

    _, shortfalls = tls_context(replace(tls, cipher_suites=(GCM, LARGE)))
    with pytest.raises(ConfigError) as refused:
        tls_context(replace(tls, cipher_suites=(LARGE,)))

    assert [("cipher_suites", f"This machine's OpenSSL lacks {LARGE}; the others are on")] == list(shortfalls)
    assert "--web.config.file: this machine's OpenSSL has none of the cipher_suites of TLS 1.2." == str(refused.value)


def can_choose(curve: str) -> bool:
    """Whether this Python can, as the server does."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(CURVES[curve])
    except (ssl.SSLError, ValueError):
        return False
    return True


CHOOSABLE = {curve for curve in CURVES if can_choose(curve)}


@pytest.mark.parametrize(
    ("asked", "known", "is_shaken"),
    [
        (("CurveP521",), "CurveP521", True),
        (("CurveP521",), "CurveP384", False),
        (("X25519",), "X25519", True),
        (("X25519",), "CurveP256", False),
        (tuple(CURVES), "CurveP256", True),
        (("X25519", "CurveP256"), "CurveP256", True),
        (("CurveP521", "X25519"), "CurveP521", True),
    ],
)
def test_curves(tls: Tls, authority: Authority, asked: tuple[str, ...], known: str, is_shaken: bool) -> None:
    """Of several the most common is used, else the first: never a curve that is not listed."""
    if not {known, *asked[:1]} <= CHOOSABLE:
        pytest.skip("this Python can't choose X25519 alone")
    # With TLS 1.2 a client that knows a single curve refuses the certificate, whose key is on another.
    context, shortfalls = tls_context(replace(tls, curve_preferences=asked, min_version="TLS13"))
    asking = client(authority)
    asking.set_ecdh_curve(CURVES[known])

    assert is_shaken == bool(shake_hands(context, asking).version)
    if not hasattr(context, "set_groups"):
        assert ["curve_preferences"] * (len(asked) > 1) == [key for key, _ in shortfalls]
        assert all(f"it uses {known}," in sentence for _, sentence in shortfalls)


def test_a_curve_that_can_not_be_chosen_leaves_all_on(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """As X25519 in Python 3.10: a warning, and if another curve is listed, that one."""
    monkeypatch.delattr(ssl.SSLContext, "set_groups", raising=False)
    monkeypatch.setitem(CURVES, "X25519", "no-such-curve")

    _, alone = tls_context(replace(tls, curve_preferences=("X25519",)))
    _, beside = tls_context(replace(tls, curve_preferences=("X25519", "CurveP521")))

    assert ["This Python's TLS can't choose X25519; all curves stay on"] == [sentence for _, sentence in alone]
    assert "it uses CurveP521," in beside[0][1]


def test_a_python_that_can_use_several_curves_uses_them(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 3.15 on, in the order of the file."""
    groups: list[str] = []
    monkeypatch.setattr(ssl.SSLContext, "set_groups", lambda _, names: groups.append(names), raising=False)

    _, shortfalls = tls_context(replace(tls, curve_preferences=("X25519", "CurveP256", "X25519")))

    assert (["X25519:prime256v1"], ()) == (groups, shortfalls)


# Client certificates


@pytest.mark.parametrize(
    ("kind", "has_authority", "with_none", "with_known", "with_unknown", "shortfall"),
    [
        ("NoClientCert", False, True, True, True, ""),
        ("RequestClientCert", False, True, True, True, "with RequestClientCert clients need none"),
        ("RequestClientCert", True, True, True, True, "with RequestClientCert clients need none"),
        ("RequireAnyClientCert", True, False, True, False, "it has to be of client_ca_file, too"),
        ("VerifyClientCertIfGiven", True, True, True, False, ""),
        ("VerifyClientCertIfGiven", False, True, False, False, "certificates of every authority that this machine tru"),
        (VERIFY, True, False, True, False, ""),
        (VERIFY, False, False, False, False, "certificates of every authority that this machine trusts"),
    ],
)
def test_client_certificates(
    tls: Tls,
    authority: Authority,
    client_ca: Pem,
    tmp_path: Path,
    kind: str,
    has_authority: bool,
    with_none: bool,
    with_known: bool,
    with_unknown: bool,
    shortfall: str,
) -> None:
    """For each type: who gets in. What Python's TLS can't do is a warning."""
    context, shortfalls = tls_context(
        replace(tls, client_auth_type=kind, client_ca=client_ca if has_authority else None)
    )
    unknown = client(authority)
    issued = Authority(tmp_path).issue("unknown")
    unknown.load_cert_chain(issued.cert, issued.key)

    clients = (client(authority), client(authority, with_certificate=True), unknown)
    assert [with_none, with_known, with_unknown] == [bool(shake_hands(context, each).version) for each in clients]
    assert bool(shortfall) == bool(shortfalls)
    assert all(key == "client_auth_type" and shortfall in sentence for key, sentence in shortfalls)


@pytest.mark.parametrize(
    "kind", [kind for kind in CLIENT_AUTH_TYPES if kind not in ("NoClientCert", "RequestClientCert")]
)
@pytest.mark.parametrize("version", ["TLS12", "TLS13"])
def test_allowed_names_of_client_certificates(
    tls: Tls, authority: Authority, client_ca: Pem, kind: str, version: str
) -> None:
    """A client needs a certificate with one of the names, exactly, whatever the type."""
    named = replace(
        tls,
        client_ca=client_ca,
        client_auth_type=kind,
        client_allowed_sans=("scraper.example", "other"),
        min_version=version,
        max_version=version,
    )
    context, _ = tls_context(named)
    hosts = {
        "none": (),
        "another": ("scraper.example.com",),
        "second": ("a.example", "scraper.example"),
        "capitals": ("Scraper.example",),
    }

    shaken = {
        name: bool(shake_hands(context, client(authority, with_certificate=True, hosts=names)).version)
        for name, names in hosts.items()
    }

    assert {"none": False, "another": False, "second": True, "capitals": False} == shaken
    assert not shake_hands(context, client(authority)).version


def test_names_are_written_as_users_write_them() -> None:
    """OpenSSL writes IPv6 in full, and some kinds are not compared."""
    certificate = {
        "subjectAltName": (
            ("DNS", "a.example"),
            ("IP Address", "10.0.0.1"),
            ("IP Address", "2001:DB8:0:0:0:0:0:1\n"),
            ("IP Address", "<invalid>"),
            ("email", "me@a.example"),
            ("URI", "spiffe://a/b"),
            ("DirName", ((("commonName", "x"),),)),
        )
    }

    expected = ["a.example", "10.0.0.1", "2001:db8::1", "me@a.example", "spiffe://a/b"]
    assert expected == list(alternate_names(certificate))
    assert [] == list(alternate_names({}))


# Files and texts


@pytest.mark.parametrize("inline", [(), ("cert",), ("key",), ("client_ca",), ("cert", "key", "client_ca")])
def test_certificates_may_be_files_or_texts(
    tls: Tls, authority: Authority, client_ca: Pem, inline: tuple[str, ...]
) -> None:
    """In any mixture; a text never gets to the disk."""
    pems = {"cert": tls.cert, "key": tls.key, "client_ca": client_ca}
    for name in inline:
        file = pems[name].file
        assert file is not None
        pems[name] = Pem(name, text=file.read_text())
    mutual = Tls(pems["cert"], pems["key"], pems["client_ca"], VERIFY)

    context, shortfalls = tls_context(mutual)

    assert "TLSv1.3" == shake_hands(context, client(authority, with_certificate=True)).version
    assert () == shortfalls
    assert 3 - len(inline) == len(mutual.files)
    assert "PRIVATE" not in repr(mutual)


def test_a_key_of_another_certificate_is_refused(tls: Tls, authority: Authority) -> None:
    """The sentence names both files, or the keys of the texts."""
    other = authority.issue("other").key

    for key, name in ((Pem("key_file", other), other), (Pem("key", text=other.read_text()), "key")):
        with pytest.raises(ConfigError) as refused:
            tls_context(replace(tls, key=key))
        assert (
            f"--web.config.file: {tls.cert} and {name} are not a certificate and its unencrypted key in PEM form."
            == str(refused.value)
        )


@pytest.mark.parametrize("kind", ["RequestClientCert", VERIFY])
def test_a_client_ca_without_certificates_is_refused(tls: Tls, tmp_path: Path, kind: str) -> None:
    """The sentence names the file, or the key of the text."""
    text = tmp_path / "text"
    text.write_text("not PEM")

    for pem, name in ((Pem("client_ca_file", text), text), (Pem("client_ca", text="not PEM"), "client_ca")):
        with pytest.raises(ConfigError, match=f"^--web.config.file: {name} holds no certificates in PEM form"):
            tls_context(replace(tls, client_ca=pem, client_auth_type=kind))


@pytest.mark.parametrize("missing", ["cert", "key", "client_ca"])
def test_a_missing_file_is_named(tls: Tls, client_ca: Pem, tmp_path: Path, missing: str) -> None:
    """OpenSSL's error would not say which of the three is missing."""
    with_authority = replace(tls, client_ca=client_ca, client_auth_type=VERIFY)
    without_file = replace(with_authority, **{missing: Pem(missing, tmp_path / "missing")})  # type: ignore[arg-type]

    with pytest.raises(ConfigError) as refused:
        tls_context(without_file)

    assert f"--web.config.file: cannot read {tmp_path}/missing: No such file or directory." == str(refused.value)


def test_an_encrypted_key_is_refused_without_a_prompt(authority: Authority) -> None:
    """A daemon has no terminal to ask for a password."""
    encrypted = authority.issue("encrypted", password=b"secret")

    with pytest.raises(ConfigError, match="its unencrypted key"):
        tls_context(Tls(Pem("cert_file", encrypted.cert), Pem("key_file", encrypted.key)))
