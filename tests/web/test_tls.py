"""SSL contexts from certificate files."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.tls import Tls, tls_context
from tests.support.certificates import Authority


def test_the_context_has_the_settings(authority: Authority) -> None:
    """Versions and the need for a client certificate are in force."""
    issued = authority.issue("server")

    context = tls_context(
        Tls(
            issued.cert,
            issued.key,
            authority.cert,
            ssl.CERT_REQUIRED,
            ssl.TLSVersion.TLSv1_3,
            ssl.TLSVersion.TLSv1_3,
        )
    )

    assert (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3, ssl.CERT_REQUIRED) == (
        context.minimum_version,
        context.maximum_version,
        context.verify_mode,
    )
    assert 1 == context.cert_store_stats()["x509_ca"]


def test_the_default_is_tls_1_2_or_newer_without_client_certificates(authority: Authority) -> None:
    """A certificate and its key are enough."""
    issued = authority.issue("server")

    context = tls_context(Tls(issued.cert, issued.key))

    assert (ssl.TLSVersion.TLSv1_2, ssl.CERT_NONE) == (context.minimum_version, context.verify_mode)


def test_the_files_are_all_that_the_context_depends_on() -> None:
    """Without client certificates there are two."""
    assert [Path("a"), Path("b")] == Tls(Path("a"), Path("b")).files
    assert [Path("a"), Path("b"), Path("c")] == Tls(Path("a"), Path("b"), Path("c")).files


def test_a_key_of_another_certificate_is_refused(authority: Authority) -> None:
    """The sentence names both files."""
    issued, other = authority.issue("server"), authority.issue("other")

    with pytest.raises(ConfigError) as refused:
        tls_context(Tls(issued.cert, other.key))

    assert (
        f"--web.config.file: {issued.cert} and {other.key} are not a certificate and its unencrypted key in PEM form."
        == str(refused.value)
    )


def test_a_client_ca_file_without_certificates_is_refused(authority: Authority, tmp_path: Path) -> None:
    """The sentence names the file."""
    issued = authority.issue("server")
    text = tmp_path / "text"
    text.write_text("not PEM")

    with pytest.raises(ConfigError, match=f"^--web.config.file: {text} holds no certificates in PEM form"):
        tls_context(Tls(issued.cert, issued.key, text, ssl.CERT_REQUIRED))


@pytest.mark.parametrize("missing", ["cert_file", "key_file", "client_ca_file"])
def test_a_missing_file_is_named(authority: Authority, tmp_path: Path, missing: str) -> None:
    """OpenSSL's error would not say which of the three is missing."""
    issued = authority.issue("server")
    tls = replace(Tls(issued.cert, issued.key, authority.cert), **{missing: tmp_path / "missing"})  # type: ignore[arg-type]

    with pytest.raises(ConfigError) as refused:
        tls_context(tls)

    assert f"--web.config.file: cannot read {tmp_path}/missing: No such file or directory." == str(refused.value)


def test_an_encrypted_key_is_refused_without_a_prompt(authority: Authority) -> None:
    """A daemon has no terminal to ask for a password."""
    encrypted = authority.issue("encrypted", password=b"secret")

    with pytest.raises(ConfigError, match="its unencrypted key"):
        tls_context(Tls(encrypted.cert, encrypted.key))
