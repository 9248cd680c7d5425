"""The file of --web.config.file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.pem import Pem
from kcl_flowlog.web.rate_limit import RateLimit
from kcl_flowlog.web.shortfall import Shortfall
from kcl_flowlog.web.tls import Tls
from kcl_flowlog.web.web_config import WebConfig, load

Write = Callable[[str], Path]

HASH = "$2b$04$xfBjg2YFpKPC47wJ62CvbOEl.S3cbzWWZLRMqYtNruAuDdZFIbMg2"
TLS = "tls_server_config:\n  cert_file: a\n  key_file: b\n"
LARGE = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
REQUEST = "  client_auth_type: RequestClientCert\n"
VERIFY = "  client_auth_type: RequireAndVerifyClientCert\n"
ANY_AUTH = "  client_auth_type: VerifyClientCertIfGiven\n"
EVERY_KEY = f"""\
tls_server_config:
  cert_file: server.crt
  key_file: keys/server.key
  client_ca_file: /etc/ca.crt
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [scraper.example, 10.0.0.1]
  min_version: TLS12
  max_version: TLS13
  cipher_suites:
    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    - TLS_AES_256_GCM_SHA384
  curve_preferences: [X25519, CurveP521]
  prefer_server_cipher_suites: false
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  prometheus: {HASH}
rate_limit:
  interval: 1s
  burst: 20
"""


def test_certificates_and_keys_may_stand_in_the_file(write: Write) -> None:
    """Their text is as long as the lines go."""
    tls = load(write("tls_server_config:\n  cert: |\n    a\n    b\n  key: c\n  client_ca: d\n" + ANY_AUTH)).tls

    assert tls is not None
    assert (Pem("cert", text="a\nb\n"), Pem("key", text="c"), Pem("client_ca", text="d")) == tuple(tls.pems)
    assert [] == tls.files


def test_every_key_is_read(write: Write, tmp_path: Path) -> None:
    """Relative paths start at the file's directory."""
    expected = WebConfig(
        tls=Tls(
            cert=Pem("cert_file", tmp_path / "server.crt"),
            key=Pem("key_file", tmp_path / "keys/server.key"),
            client_ca=Pem("client_ca_file", Path("/etc/ca.crt")),
            client_auth_type="RequireAndVerifyClientCert",
            client_allowed_sans=("scraper.example", "10.0.0.1"),
            min_version="TLS12",
            max_version="TLS13",
            cipher_suites=("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"),
            curve_preferences=("X25519", "CurveP521"),
            prefer_server_cipher_suites=False,
        ),
        headers=(
            ("X-Frame-Options", "deny"),
            ("X-Content-Type-Options", "nosniff"),
            ("Strict-Transport-Security", "max-age=31536000"),
        ),
        users={"prometheus": HASH},
        rate_limit=RateLimit(1.0, 20),
        shortfalls=(Shortfall("http2", "This server speaks HTTP/1.1 only; clients that prefer HTTP/2 use HTTP/1.1"),),
    )

    assert expected == load(write(EVERY_KEY))


@pytest.mark.parametrize(
    "text",
    [
        "tls_server_config: {}\nbasic_auth_users: {}\n",
        "http_server_config:\n",
        "tls_server_config: {min_version: TLS12}\n",
        "tls_server_config: {cipher_suites: [TLS_AES_128_GCM_SHA256], curve_preferences: [X25519]}\n",
        "http_server_config: {http2: false, headers: {X-Frame-Options: , X-XSS-Protection: ''}}\n",
    ],
)
def test_a_file_without_certificates_and_users_means_plain_http(write: Write, text: str) -> None:
    """It says so explicitly, or sets something else."""
    assert WebConfig() == load(write(text))


def test_a_certificate_and_a_key_are_enough_for_tls(write: Write, tmp_path: Path) -> None:
    """The default is TLS 1.2 to 1.3 without client certificates."""
    config = load(write(TLS))

    expected = Tls(Pem("cert_file", tmp_path / "a"), Pem("key_file", tmp_path / "b"))
    assert ("NoClientCert", "TLS12", "TLS13", True) == (
        expected.client_auth_type,
        expected.min_version,
        expected.max_version,
        expected.prefer_server_cipher_suites,
    )
    assert expected == config.tls


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("tls_config: {}", 1, "tls_config"),
        ('tls_server_config: {cert_file: "a\\0b", key_file: c}', 1, "cert_file: it has a character that no setting"),
        ('tls_server_config: {cert_file: "\\ud800", key_file: c}', 1, "cert_file: it has a character that no setting"),
        (TLS + "  cert: x", 4, "cert: cert_file is set as well; remove either of them."),
        (TLS + "  cipher_suits: []", 4, "unknown key 'cipher_suits'; did you mean 'cipher_suites'?"),
        (TLS + "  cipher_suites:", 4, "cipher_suites: nothing follows"),
        (TLS + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]", 4, "'TLS_RSA_WITH_RC4_128_SHA' is not one of: TLS_"),
        (
            TLS + f"  cipher_suites: [{LARGE}]",
            4,
            "AES_128_GCM_SHA256 is missing, which HTTP/2 needs; add it, or set http",
        ),
        (
            TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  max_version: TLS12\nhttp_server_config: {http2: off}",
            4,
            "cipher_suites: none of the suites is for max_version: TLS12.",
        ),
        (TLS + "  curve_preferences: [CurveP257]", 4, "'CurveP257' is not one of: CurveP256, CurveP384, CurveP521, X2"),
        (TLS + "  prefer_server_cipher_suites: maybe", 4, "'maybe' is neither `true` nor `false`."),
        ("http_server_config: {http2: maybe}", 1, "http2: 'maybe' is neither `true` nor `false`."),
        (TLS + VERIFY + "  client_allowed_sans: []", 5, "the list is empty, so that every client would be refused."),
        (TLS + "  client_allowed_sans: [a]", 4, "names of a certificate that is not verified prove nothing; set cl"),
        (TLS + REQUEST + "  client_allowed_sans: [a]", 5, "names of a certificate that is not verified prove nothing"),
        ("tls_server_config: {client_allowed_sans: [a]}", 1, "cert_file or cert is missing."),
        ("http_server_config:\n  gzip: 1", 2, "gzip"),
        (TLS + "  min_version: TLS111", 4, "min_version: 'TLS111' is not one of: TLS10, TLS11, TLS12, TLS13."),
        (TLS + "  max_version: TLS11", 4, "max_version: this server speaks TLS12 and newer versions only."),
        (TLS + "  client_auth_type: Perhaps", 4, "client_auth_type: 'Perhaps' is not one of: NoClientCert, Request"),
        (TLS + "  client_ca_file: c", 4, "client_ca_file: it has no effect without client_auth_type: RequireAndVe"),
        (TLS + "  client_ca: c", 4, "client_ca: it has no effect without client_auth_type: RequireAndVerifyClientC"),
        (TLS + "  min_version: TLS13\n  max_version: TLS12", 4, "min_version: min_version is above max_version."),
        (TLS + "  max_version: []", 4, "max_version: "),
        ("tls_server_config:\n  cert_file: a", 1, "tls_server_config: key_file or key is missing."),
        ("tls_server_config:\n  key_file: a", 1, "tls_server_config: cert_file or cert is missing."),
        ("tls_server_config: {client_auth_type: RequireAndVerifyClientCert}", 1, "cert_file or cert is missing"),
        ("tls_server_config: 3", 1, ""),
        ("- 1", 1, ""),
        ("http_server_config: {headers: {X-Mine: a}}", 1, "X-Mine: cannot set this header; allowed are: strict-t"),
        ("http_server_config: {headers: {X-Frame-Options: maybe}}", 1, "'maybe' is not a valid value of this header."),
        ("http_server_config: {headers: {Content-Security-Policy: größe}}", 1, "is not a valid value"),
        ('http_server_config: {headers: {X-XSS-Protection: "1\\tX"}}', 1, "is not a valid value"),
        ('http_server_config: {headers: {X-XSS-Protection: "1\\n\\nX: y"}}', 1, "is not a valid value"),
        ("basic_auth_users:\n", 1, "basic_auth_users: nothing follows; complete it or remove the key."),
        ("http_server_config:\ntls_server_config:", 2, "tls_server_config: nothing follows"),
        (TLS + "  client_ca_file:", 4, "client_ca_file: nothing follows"),
        ("tls_server_config: {cert_file: '', key_file: ''}", 1, "cert_file: nothing follows"),
        (TLS + "  client_auth_type:", 4, "client_auth_type: nothing follows"),
        (TLS + "  min_version:", 4, "min_version: nothing follows"),
        ("basic_auth_users:\n  me:", 2, "me: not a bcrypt hash"),
        ("basic_auth_users:\n  me: secret", 2, "me: not a bcrypt hash; make one with `htpasswd -nBC 10 NAME`."),
        ("basic_auth_users:\n  me: $2b$99" + HASH[6:], 2, "me: not a bcrypt hash"),
    ],
)
def test_a_mistake_is_refused_with_its_place(write: Write, text: str, line: int, said: str) -> None:
    """The sentence names file, line and key."""
    path = write(text)

    with pytest.raises(ConfigError) as refused:
        load(path)

    assert re.match(rf"{path}, line {line}\b", str(refused.value))
    assert said in str(refused.value)


@pytest.mark.parametrize("content", [b"a: b: c", b"\xff\xfe\xff", b"a: \x00", b"[" * 5000], ids=range(4))
def test_a_file_that_is_not_yaml_is_refused(tmp_path: Path, content: bytes) -> None:
    """So is a file that is not text."""
    path = tmp_path / "web.yml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=rf"{path} is not .*YAML"):
        load(path)


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "{}", "---\n"])
def test_a_file_that_sets_nothing_is_refused(write: Write, text: str) -> None:
    """Whoever names a file wants protection. Without the option the server is open."""
    path = write(text)

    with pytest.raises(ConfigError) as refused:
        load(path)

    assert f"{path} sets nothing; set what it should protect, or leave --web.config.file out." == str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The sentence names it."""
    path = tmp_path / "missing.yml"

    with pytest.raises(ConfigError, match=rf"{path}.*No such file or directory\.$"):
        load(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval: 500ms\n  burst: 3", RateLimit(0.5, 3)),
        ("interval: 1m30s\n  burst: 3", RateLimit(90.0, 3)),
        ("interval: .5s\n  burst: 3", RateLimit(0.5, 3)),
        ("interval: 1.5h\n  burst: 3", RateLimit(5400.0, 3)),
        ("interval: 1d\n  burst: 3", RateLimit(86400.0, 3)),
        ("interval: 0\n  burst: 0", None),
        ("interval: 0s\n  burst: 3", None),
        ("burst: 3", None),
    ],
)
def test_a_rate_limit_needs_an_interval(write: Write, text: str, expected: RateLimit | None) -> None:
    """As in the toolkit."""
    assert expected == load(write(f"rate_limit:\n  {text}\n")).rate_limit


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("interval: soon", "line 2, interval: 'soon' is not a duration such as 500ms, 10s or 1m30s."),
        ("interval: 1000000000", "line 2, interval: '1000000000' is not a duration such as 500ms, 10s or 1m30s."),
        ("interval: 1s\n  burst: many", "line 3, burst: 'many' is not a whole number."),
        ("interval: 1s", "line 1, rate_limit: burst is missing or 0, so that every request would be refused."),
        ("intervall: 1s", "line 2: unknown key 'intervall'; did you mean 'interval'?"),
        ("interval:", "line 2, interval: nothing follows; complete it or remove the key."),
    ],
)
def test_a_rate_limit_that_is_not_valid_is_an_error(write: Write, text: str, sentence: str) -> None:
    """It names the line."""
    path = write(f"rate_limit:\n  {text}\n")

    with pytest.raises(ConfigError) as refused:
        load(path)

    assert f"{path}, {sentence}" == str(refused.value)
