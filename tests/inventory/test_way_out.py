"""The way to AWS that boto3 takes."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.way_out import Proxy, find_way_out, read_certificates
from tests.support.certificates import Authority

KINESIS = "https://kinesis.eu-west-1.amazonaws.com"
LOCAL = "http://localhost:4566"
PROXY = Proxy("proxy", 3128)

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE")


@pytest.fixture(autouse=True)
def no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine of the test has."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {KINESIS: None, LOCAL: None}),
        ({"HTTPS_PROXY": "http://proxy:3128"}, {KINESIS: PROXY, LOCAL: None}),
        ({"HTTP_PROXY": "http://proxy:3128"}, {KINESIS: None, LOCAL: PROXY}),
        ({"ALL_PROXY": "http://proxy:3128"}, {KINESIS: None, LOCAL: None}),
        ({"HTTPS_PROXY": "http://other", "https_proxy": "http://proxy:3128"}, {KINESIS: PROXY, LOCAL: None}),
        ({"HTTPS_PROXY": "proxy:3128"}, {KINESIS: PROXY, LOCAL: None}),
        ({"HTTPS_PROXY": "//proxy:3128/"}, {KINESIS: PROXY, LOCAL: None}),
        ({"HTTPS_PROXY": "http://proxy"}, {KINESIS: Proxy("proxy", 80), LOCAL: None}),
        (
            {"HTTPS_PROXY": "http://u%40x:p%3A%22@proxy:3128"},
            {KINESIS: Proxy("proxy", 3128, "u@x", 'p:"'), LOCAL: None},
        ),
        ({"HTTPS_PROXY": "http://u@proxy:3128"}, {KINESIS: PROXY, LOCAL: None}),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".amazonaws.com"}, {KINESIS: None, LOCAL: None}),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, {KINESIS: None, LOCAL: None}),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*.amazonaws.com"}, {KINESIS: PROXY, LOCAL: None}),
    ],
)
def test_the_proxy_of_an_endpoint(
    environ: dict[str, str], expected: dict[str, Proxy | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the scheme of the endpoint and the rules of boto3."""
    set_all(monkeypatch, environ)

    assert expected == find_way_out([KINESIS, LOCAL]).proxies


def test_the_names_of_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for hosts that are not known yet."""
    monkeypatch.setenv("NO_PROXY", " .example.com,, 10.0.0.1 ")

    assert (".example.com", "10.0.0.1") == find_way_out([]).no_proxy


@pytest.mark.parametrize(
    "url", ["http://", "http://proxy:port", "socks5://proxy:1080", "http://ü:p@proxy", "http://u:%0a@p"]
)
def test_what_is_no_proxy_is_a_config_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence shows no password."""
    monkeypatch.setenv("HTTPS_PROXY", url)

    with pytest.raises(ConfigError) as refused:
        find_way_out([KINESIS])

    assert (
        "HTTPS_PROXY is not the address of a proxy such as http://proxy.example.com:3128, or"
        " http://USER:PASSWORD@proxy.example.com:3128 in ASCII." == str(refused.value)
    )


def test_a_proxy_behind_tls_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The KCL can't do it, and no property of Java asks for it. A proxy that no endpoint uses does not matter."""
    monkeypatch.setenv("HTTPS_PROXY", "https://proxy:3128")

    assert {LOCAL: None} == find_way_out([LOCAL]).proxies
    with pytest.raises(
        ConfigError, match=r"^HTTPS_PROXY asks for TLS between here and the proxy, which the KCL can't do;"
    ):
        find_way_out([KINESIS])


def test_without_a_bundle_the_defaults_are_trusted() -> None:
    """Those of boto3 here, those of Java there."""
    assert find_way_out([]).ca_bundle is None


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", ""])
def test_the_bundle_is_that_of_boto3(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the profile names it."""
    bundle = Authority(tmp_path).cert
    (tmp_path / "config").write_text("[default]\n" if variable else f"[default]\nca_bundle = {bundle}\n")
    if variable:
        monkeypatch.setenv(variable, str(bundle))

    assert bundle == find_way_out([]).ca_bundle


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("", "it holds no certificates in PEM"),
        ("certificate", "it holds no certificates in PEM"),
        (f"{ssl.PEM_HEADER}\n!!!!\n{ssl.PEM_FOOTER}\n", "it holds no certificates in PEM"),
        (f"{ssl.PEM_HEADER}\nAAAA\n{ssl.PEM_FOOTER}\n", "it holds no certificates in PEM"),
    ],
)
def test_a_bundle_that_is_none_is_a_config_error(
    content: str | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found before the first connection."""
    bundle = tmp_path / "bundle"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))

    with pytest.raises(ConfigError) as refused:
        find_way_out([])

    assert f"The CA bundle {str(bundle)!r} can't be used ({reason}); correct AWS_CA_BUNDLE." == str(refused.value)


def test_an_empty_name_of_a_bundle_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 refuses it, too."""
    monkeypatch.setenv("AWS_CA_BUNDLE", "")

    with pytest.raises(ConfigError, match=r"^The CA bundle '' can't be used \("):
        find_way_out([])


def test_all_certificates_of_a_bundle_count(tmp_path: Path) -> None:
    """Also with text between them, and those that are for no authority."""
    authority = Authority(tmp_path)
    files = (authority.cert, authority.issue("server").cert)
    bundle = tmp_path / "bundle"
    bundle.write_text("".join(f"# gr\u00fc\u00dfe\n{file.read_text()}\r\n" for file in files), encoding="utf-8")

    assert [ssl.PEM_cert_to_DER_cert(file.read_text()) for file in files] == read_certificates(bundle)
