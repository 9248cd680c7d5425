"""The file of --web.config.file."""

import logging
import os
import re
import ssl
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.web_config import Tls, WebConfig, WebConfigKeeper, load, tls_context
from tests.support.certificates import Authority

HASH = "$2b$04$xfBjg2YFpKPC47wJ62CvbOEl.S3cbzWWZLRMqYtNruAuDdZFIbMg2"

WHOLE = f"""\
tls_server_config:
  cert_file: server.crt
  key_file: keys/server.key
  client_ca_file: /etc/ca.crt
  client_auth_type: RequireAndVerifyClientCert
  min_version: TLS13
  max_version: TLS13
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  prometheus: {HASH}
"""


@pytest.fixture
def write(tmp_path):
    """Writes the file with a text, and returns its path."""

    def write(text):
        path = tmp_path / "web.yml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Makes certificates."""
    return Authority(tmp_path_factory.mktemp("ca"))


def test_all_keys_are_read(write, tmp_path):
    """Every key has its effect, and relative paths start where the file lies."""
    expected = WebConfig(
        tls=Tls(
            tmp_path / "server.crt",
            tmp_path / "keys/server.key",
            Path("/etc/ca.crt"),
            ssl.CERT_REQUIRED,
            ssl.TLSVersion.TLSv1_3,
            ssl.TLSVersion.TLSv1_3,
        ),
        headers=(("X-Frame-Options", "deny"), ("Strict-Transport-Security", "max-age=31536000")),
        users={"prometheus": HASH},
    )

    assert expected == load(write(WHOLE))


@pytest.mark.parametrize(
    "text", ["", "# none\n", "tls_server_config:\nbasic_auth_users:\n", "tls_server_config: {min_version: TLS12}\n"]
)
def test_a_file_that_asks_for_nothing_is_plain_http(write, text):
    """Without certificates and users the server is as without a file."""
    assert WebConfig() == load(write(text))


def test_tls_1_2_is_the_least_that_is_spoken(write, tmp_path):
    """With only a certificate and a key, TLS 1.2 and 1.3 are spoken and clients need no certificate."""
    read = load(write("tls_server_config: {cert_file: a, key_file: b}"))

    expected = Tls(tmp_path / "a", tmp_path / "b", None, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert expected == read.tls


TLS = "tls_server_config:\n  cert_file: a\n  key_file: b\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("tls_config: {}", 1, "tls_config"),
        (TLS + "  cipher_suites: []", 4, "cipher_suites"),
        ("http_server_config:\n  gzip: 1", 2, "gzip"),
        (TLS + "  min_version: TLS11", 4, "min_version: 'TLS11' is not one of: TLS12, TLS13"),
        (TLS + "  client_auth_type: Perhaps", 4, "client_auth_type: 'Perhaps' is not one of"),
        (TLS + "  client_auth_type: RequireAndVerifyClientCert", 1, "client_ca_file goes with"),
        (TLS + "  client_ca_file: c", 1, "client_ca_file goes with"),
        (TLS + "  min_version: TLS13\n  max_version: TLS12", 4, "min_version: no version is left"),
        (TLS + "  max_version: []", 4, "max_version: "),
        ("tls_server_config:\n  cert_file: a", 1, "key_file is missing"),
        ("tls_server_config:\n  key_file: a", 1, "cert_file is missing"),
        ("tls_server_config: {client_auth_type: RequireAndVerifyClientCert}", 1, "cert_file is missing"),
        ("tls_server_config: 3", 1, ""),
        ("- 1", 1, ""),
        ("http_server_config: {headers: {X-Mine: a}}", 1, "X-Mine: this header can't be set"),
        ("http_server_config: {headers: {X-Frame-Options: maybe}}", 1, "can't have the value 'maybe'"),
        ('http_server_config: {headers: {X-XSS-Protection: "1\\n\\nX: y"}}', 1, "can't have the value"),
        ("basic_auth_users:\n  me: secret", 2, "me: this is not a bcrypt hash"),
        ("basic_auth_users:\n  me: $2b$99" + HASH[6:], 2, "me: this is not a bcrypt hash"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_file_line_and_key(write, text, line, said):
    """A mistake is one sentence that leads to it."""
    path = write(text)

    with pytest.raises(ConfigError) as refused:
        load(path)

    assert re.match(rf"{path}, line {line}\b", str(refused.value))
    assert said in str(refused.value)
    assert str(refused.value).endswith((".", "?"))


@pytest.mark.parametrize("content", [b"a: b: c", b"\xff\xfe\xff", b"a: \x00"])
def test_a_file_that_is_not_yaml_is_refused(tmp_path, content):
    """What is no YAML, or no text at all, is named as such."""
    path = tmp_path / "web.yml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=f"{path} is not YAML"):
        load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """A wrong path is said at the start."""
    with pytest.raises(ConfigError, match=r"can't be read: No such file or directory\.$"):
        WebConfigKeeper(str(tmp_path / "none.yml"))


def test_certificates_that_do_not_fit_are_refused(authority, tmp_path):
    """A key of another certificate, a text that is no PEM, a missing file: each is said, and says which file."""
    one, other = authority.issue("one"), authority.issue("other")
    text = tmp_path / "text"
    text.write_text("no PEM")

    with pytest.raises(ConfigError, match=f"{one.cert} and {other.key} are not a certificate and its"):
        tls_context(Tls(one.cert, other.key))
    with pytest.raises(ConfigError, match=f"{text} holds no certificates"):
        tls_context(Tls(one.cert, one.key, text, ssl.CERT_REQUIRED))
    with pytest.raises(ConfigError, match=f"{tmp_path / 'none'} can't be read: No such file"):
        tls_context(Tls(one.cert, tmp_path / "none"))


def test_an_encrypted_key_is_refused_and_asks_nobody(authority):
    """A key with a password is a mistake of the configuration, not a question on the terminal."""
    encrypted = authority.issue("encrypted", password=b"secret")

    with pytest.raises(ConfigError, match="its unencrypted key"):
        tls_context(Tls(encrypted.cert, encrypted.key))


def test_without_a_file_nothing_is_asked_for():
    """An empty path is plain HTTP, open to all."""
    web = WebConfigKeeper("").current()

    assert (WebConfig(), None) == (web.config, web.context)


def test_nothing_is_read_again_while_nothing_changes(write):
    """Two requests without a change in between share what was read."""
    keeper = WebConfigKeeper(str(write(f"basic_auth_users: {{me: {HASH}}}")))

    assert keeper.current() is keeper.current()


def test_a_changed_file_holds_at_once(write):
    """A user who was added is there at the next request."""
    keeper = WebConfigKeeper(str(write(f"basic_auth_users: {{me: {HASH}}}")))

    write(f"basic_auth_users: {{me: {HASH}, you: {HASH}}}")

    assert {"me", "you"} == set(keeper.current().config.users)


def test_a_broken_change_is_one_warning_and_changes_nothing(write, caplog):
    """Whoever was kept out stays out while the file is broken, and the log doesn't grow with each request."""
    keeper = WebConfigKeeper(str(write(f"basic_auth_users: {{me: {HASH}}}")))
    before = keeper.current()

    write("basic_auth_users: [")
    after = [keeper.current() for _ in range(3)]

    assert [before] * 3 == after
    assert [logging.WARNING] == [record.levelno for record in caplog.records]
    assert "is not YAML" in caplog.text
    assert "What was read before still holds." in caplog.text


def test_a_file_that_vanishes_and_returns_is_followed(write, caplog):
    """A gap between two states of the file, as a rename may leave, costs one warning."""
    path = write(f"basic_auth_users: {{me: {HASH}}}")
    keeper = WebConfigKeeper(str(path))

    path.unlink()
    assert {"me"} == set(keeper.current().config.users)
    write(f"basic_auth_users: {{you: {HASH}}}")
    assert {"you"} == set(keeper.current().config.users)
    assert [logging.WARNING] == [record.levelno for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_certificate_half_renewed_waits_for_its_key(write, authority, tmp_path, caplog):
    """A new certificate beside the old key is not served; with the new key it is."""
    old, new = authority.issue("old"), authority.issue("new")
    cert, key = tmp_path / "crt", tmp_path / "key"
    cert.write_bytes(old.cert.read_bytes())
    key.write_bytes(old.key.read_bytes())
    keeper = WebConfigKeeper(str(write("tls_server_config: {cert_file: crt, key_file: key}")))
    before = keeper.current().context

    _replace(cert, new.cert.read_bytes())
    assert keeper.current().context is before
    _replace(key, new.key.read_bytes())
    assert keeper.current().context is not before
    assert 1 == len([record for record in caplog.records if record.levelno == logging.WARNING])


def test_a_certificate_that_was_missing_is_served_once_it_is_there(write, authority, tmp_path):
    """A file that names a certificate before it is written doesn't have to be touched again."""
    issued = authority.issue("late")
    keeper = WebConfigKeeper(str(write("")))

    write("tls_server_config: {cert_file: crt, key_file: key}")
    assert keeper.current().context is None
    (tmp_path / "crt").write_bytes(issued.cert.read_bytes())
    (tmp_path / "key").write_bytes(issued.key.read_bytes())

    assert keeper.current().context is not None


def _replace(path, content):
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    os.replace(fresh, path)
