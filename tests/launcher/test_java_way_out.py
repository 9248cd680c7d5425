"""The way to AWS as Java takes it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.way_out import Proxy, WayOut
from kcl_flowlog.launcher.java_way_out import JavaWayOut, proxy_properties, without_proxies
from tests.support.certificates import Authority

KINESIS = "https://kinesis.eu-west-1.amazonaws.com"
DYNAMODB = "https://dynamodb.eu-west-1.amazonaws.com"
PROXY = Proxy("proxy", 3128)
THROUGH = {"http.proxyHost": "proxy", "http.proxyPort": "3128", "io.netty.eventLoopThreads": "1"}


def java_bypasses(properties: dict[str, str], host: str) -> bool:
    """Say what the AWS library for Java does: `matches` of any part, in lower case, with `*` replaced by `.*?`."""
    parts = properties.get("http.nonProxyHosts", "").split("|")
    return any(re.fullmatch(part.lower().replace("*", ".*?"), host) for part in parts)


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("way_out", "expected"),
    [
        (WayOut({KINESIS: None, DYNAMODB: None}, ("a",)), {}),
        (WayOut({KINESIS: PROXY, DYNAMODB: PROXY}), THROUGH),
        (
            WayOut({KINESIS: Proxy("proxy", 3128, "u", "p")}),
            {**THROUGH, "http.proxyUser": "u", "http.proxyPassword": "p"},
        ),
        (
            WayOut({KINESIS: PROXY, "http://localhost:4566": None}),
            {**THROUGH, "http.nonProxyHosts": "localhost"},
        ),
        (
            WayOut({KINESIS: PROXY}, (".example.com",)),
            {**THROUGH, "http.nonProxyHosts": r"example\.com|*\.example\.com"},
        ),
    ],
)
def test_the_properties_of_java(way_out: WayOut, expected: dict[str, str]) -> None:
    """Those of plain HTTP, because the library reads no others."""
    assert expected == proxy_properties(way_out)


NAMES = (
    "",
    "example.com",
    ".example.com",
    "*.example.com",
    "EXAMPLE.com",
    "com",
    "10.0.0.1",
    "10.0.0.0/8",
    "::1",
    "[::1]",
    "a|b",
    "*",
)
HOSTS = (
    "example.com",
    "a.example.com",
    "a.b.example.com",
    "anexample.com",
    "example.com.net",
    "10.0.0.1",
    "10a0b0c1",
    "[::1]",
    "a",
    "b",
)


@pytest.mark.parametrize("name", NAMES)
def test_java_bypasses_the_proxy_where_boto3_does(name: str) -> None:
    """Also for hosts that are not known at the start, such as those of an account."""
    names = ("first.test", name)
    properties = proxy_properties(WayOut({"https://proxied.test": PROXY}, names))

    expected = {host: bool(proxy_bypass_environment(host, {"no": ",".join(names)})) for host in HOSTS}
    assert expected == {host: java_bypasses(properties, host) for host in HOSTS}


@pytest.mark.parametrize(
    ("way_out", "sentence"),
    [
        (
            WayOut({KINESIS: PROXY, "http://localhost:4566": Proxy("other", 80)}),
            "The KCL can use only one proxy, but https://kinesis.eu-west-1.amazonaws.com needs http://proxy:3128 and"
            " http://localhost:4566 needs http://other:80; give HTTPS_PROXY and HTTP_PROXY the same value.",
        ),
        (
            WayOut({"https://aws.test:1": PROXY, "https://aws.test:2": None}, ("aws.test:2",)),
            "The KCL can't tell endpoints of one host apart, but only some on aws.test go through the proxy"
            " http://proxy:3128; name the host in NO_PROXY without a port, or not at all.",
        ),
    ],
)
def test_what_java_can_not_do_is_a_config_error(way_out: WayOut, sentence: str) -> None:
    """Found before the start."""
    with pytest.raises(ConfigError) as refused:
        proxy_properties(way_out)

    assert sentence == str(refused.value)


def test_a_name_with_a_port_concerns_that_port_only() -> None:
    """Java knows no ports, but the endpoints are known."""
    properties = proxy_properties(WayOut({KINESIS: PROXY, "https://aws.test:1": None}, ("aws.test:1", "b.test:2")))

    assert "aws\\.test" == properties["http.nonProxyHosts"]


def test_the_options_are_in_a_file(tmp_path: Path) -> None:
    """The command line names only the file, as everybody may read it; any character of a password is kept."""
    arguments = tmp_path / "java.args"
    password = "\"'\\ #"
    way_out = JavaWayOut(WayOut({KINESIS: Proxy("proxy", 3128, "u", password)}), arguments, tmp_path / "store")

    way_out.write(write)

    assert f"@{arguments}" == way_out.option
    # In double quotes, a shell reads backslashes as Java does.
    assert f"-Dhttp.proxyPassword={password}" == shlex.split(arguments.read_text())[-1]
    assert not (tmp_path / "store").exists()


def test_the_certificates_are_those_of_the_bundle(tmp_path: Path) -> None:
    """And no others: as for boto3, they replace the default."""
    arguments, store = tmp_path / "java.args", tmp_path / "store"

    JavaWayOut(WayOut({}, ca_bundle=Authority(tmp_path).cert), arguments, store).write(write)

    assert [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStoreType=JKS"] == shlex.split(
        arguments.read_text()
    )
    assert store.read_bytes().startswith(b"\xfe\xed\xfe\xed")


def test_a_bundle_that_is_gone_at_a_restart_is_an_error_of_the_disk(tmp_path: Path) -> None:
    """The supervisor tries again."""
    way_out = JavaWayOut(WayOut({}, ca_bundle=tmp_path / "gone"), tmp_path / "java.args", tmp_path / "store")

    with pytest.raises(FileNotFoundError):
        way_out.write(write)


def test_java_does_not_see_the_variables() -> None:
    """It would read HTTP_PROXY for HTTPS, and NO_PROXY as regular expressions."""
    environ = {"HTTP_PROXY": "a", "https_proxy": "b", "No_Proxy": "c", "FTP_PROXY": "d", "HOME": "/root"}

    assert {"FTP_PROXY": "d", "HOME": "/root"} == without_proxies(environ)
