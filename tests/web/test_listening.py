"""The listening socket."""

from __future__ import annotations

import socket

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.listening import listen
from tests.support.waiting import PATIENCE


def connect(host: str, port: int) -> None:
    socket.create_connection((host, port), timeout=PATIENCE).close()


def test_an_empty_host_means_all_addresses() -> None:
    """IPv4 works always, and IPv6 if the machine has it."""
    with listen("", 0) as listening:
        port = listening.getsockname()[1]

        connect("127.0.0.1", port)
        if socket.has_dualstack_ipv6():
            connect("::1", port)


def test_without_ipv6_an_empty_host_means_all_ipv4_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without IPv6 needs no setting."""
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)

    with listen("", 0) as listening:
        assert "0.0.0.0" == listening.getsockname()[0]


def test_a_host_means_that_address_only() -> None:
    """A server on 127.0.0.1 is not reachable from other machines."""
    with listen("127.0.0.1", 0) as listening:
        assert "127.0.0.1" == listening.getsockname()[0]


def test_a_port_in_use_is_a_config_error() -> None:
    """The sentence says what, why, and which setting to check."""
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]

        with pytest.raises(ConfigError) as refused:
            listen("127.0.0.1", port)

    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use; check --web.listen-address." == str(
        refused.value
    )


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", "192.0.2.1:0: Cannot assign requested address;"),
        ("host.invalid", "host.invalid:0: unknown host;"),
        ("a..b", "a..b:0: unknown host;"),
        ("2001:db8::1", "[2001:db8::1]:0: "),
    ],
)
def test_an_address_of_another_machine_is_a_config_error(host: str, said: str) -> None:
    """So is a name that does not resolve."""
    with pytest.raises(ConfigError) as refused:
        listen(host, 0)

    assert str(refused.value).startswith(f"Cannot listen on {said}")
