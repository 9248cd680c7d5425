"""Three instances that ask each other over HTTP say what a single instance says, and scrapes don't wait for it."""

from __future__ import annotations

import json
import random
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.peers.client_files import ClientFiles
from kcl_flowlog.peers.fleet import Fleet
from kcl_flowlog.values import parse_peer
from tests.counting.who.truth import Reject, rejects
from tests.support.certificates import Authority
from tests.support.peers import SUBNET, Saying
from tests.support.waiting import PATIENCE, eventually
from tests.support.web import PAGE, Served, Write, get
from tests.support.who_instances import WhoInstance

NAMES = ("a", "b", "c")
QUERY = f"/api/v1/who?subnet={SUBNET}&action=reject"
FLOWS = rejects(random.Random(5), 3000, 1000)
TRUTH: dict[str, Counter[object]] = {
    "sources": Counter(source for source, _, _ in FLOWS),
    "ports": Counter(int(port) for _, _, port in FLOWS),
    "pairs": Counter((source, destination) for source, destination, _ in FLOWS),
}
USERS = "basic_auth_users: {me: $2b$04$xfBjg2YFpKPC47wJ62CvbOEl.S3cbzWWZLRMqYtNruAuDdZFIbMg2}\n"

Connect = Callable[[tuple[str, int], float], socket.socket]


class Cluster:
    """Instances behind one name, each at another address."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.servers: dict[str, Served] = {}
        self.instances: list[WhoInstance] = []
        self.connected: list[str] = []

    def instance(self, name: str, flows: Sequence[Reject]) -> WhoInstance:
        made = WhoInstance(self._directory / f"{name}.sqlite3", name, flows)
        self.instances.append(made)
        return made

    def fleet(self, connect: Connect | None = None, timeout: float = PATIENCE) -> Fleet:
        """Return what each instance asks: all addresses of the name, its own included."""
        return Fleet(
            (parse_peer("dns+http://all:10514"),), ClientFiles(), timeout, self.resolve, connect or self.connect
        )

    def resolve(self, _host: str, _port: int) -> Sequence[str]:
        return [*self.servers]

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        host, _ = address
        self.connected.append(host)
        return socket.create_connection(("127.0.0.1", self.servers[host].port), timeout)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    for each in made.instances:
        if each.server is not None:
            each.server.stop()


def asked(server: Served, path: str = QUERY) -> Any:
    answer = get(server, path)
    assert 200 == answer.status, answer.body
    return json.loads(answer.body)


def test_three_instances_say_what_one_says(cluster: Cluster) -> None:
    """Each of them, also all at once: the heaviest are right, distinct numbers are those of a single instance."""
    alone = cluster.instance("alone", FLOWS).serve(None)
    for number, name in enumerate(NAMES):
        cluster.servers[name] = cluster.instance(name, FLOWS[number::3]).serve(cluster.fleet())

    expected = asked(alone)["rejected"]
    with ThreadPoolExecutor(3) as several:
        found = [*several.map(asked, cluster.servers.values())]

    for report in found:
        assert {"answered": 2, "missing": []} == report["peers"]
        rejected = report["rejected"]
        assert expected["distinct_sources"] == rejected["distinct_sources"]
        assert expected["distinct_ports"] == rejected["distinct_ports"]
        for kind, truth in TRUTH.items():
            said = rejected[kind]
            assert [number for _, number in truth.most_common(10)] == [truth[_name(each)] for each in said]
            assert [] == [each for each in said if not each["about"] <= truth[_name(each)] <= each["at_most"]]


def _name(each: dict[str, Any]) -> object:
    if "port" in each:
        return each["port"]
    return (each["source"], each["destination"]) if "source" in each else each["address"]


def test_an_instance_that_ends_is_missing_and_named(cluster: Cluster) -> None:
    """The next answer has it, if it is back."""
    servers = {name: cluster.instance(name, FLOWS[:30]).serve(cluster.fleet()) for name in ("a", "b")}
    cluster.servers |= servers
    servers["b"].stop()

    found = asked(servers["a"])

    assert {
        "answered": 0,
        "missing": [{"peer": "http://b:10514", "reason": "did not answer (Connection refused)"}],
    } == found["peers"]
    assert b"<strong>Partial.</strong>" in get(servers["a"], f"/who?subnet={SUBNET}").body


def test_a_peer_that_hangs_delays_no_scrape_and_no_probe(cluster: Cluster) -> None:
    """Nor does it multiply: of thirty clients one asks, sixteen wait for that, the others shall come later."""
    connect = Saying({"b": (b"", ...)})
    server = cluster.instance("a", FLOWS[:30]).serve(cluster.fleet(connect))
    cluster.servers["b"] = server
    with ThreadPoolExecutor(30) as clients:
        try:
            answers = [clients.submit(get, server, QUERY) for _ in range(30)]
            assert eventually(lambda: 13 == sum(each.done() for each in answers))

            assert PAGE == get(server).body
            assert 200 == get(server, "/-/healthy").status
            assert 200 == get(server, f"{QUERY}&format=sketch").status
        finally:
            connect.close()
        statuses = Counter(each.result().status for each in answers)

    assert Counter({200: 17, 429: 13}) == statuses
    assert ["b"] == connect.connected


def test_peers_with_tls_and_users_are_asked_by_certificate_and_password(
    cluster: Cluster, authority: Authority, write: Write, tmp_path: Path
) -> None:
    """The name in the URL is that in the certificate, whatever the address; a wrong one is a sentence."""
    issued, client = authority.issue("server", hosts=("all",)), authority.issue("client")
    web_config = write(
        f"tls_server_config: {{cert_file: {issued.cert}, key_file: {issued.key}, client_ca_file: {authority.cert},"
        f" client_auth_type: RequireAndVerifyClientCert}}\n{USERS}"
    )
    cluster.servers["10.0.0.7"] = cluster.instance("b", FLOWS[:30]).serve(None, web_config)
    user = tmp_path / "user"
    user.write_text("me:x\n")
    missing = {}
    for name, files in {
        "right": ClientFiles(authority.cert, client.cert, client.key, user),
        "no user": ClientFiles(authority.cert, client.cert, client.key),
        "no authority": ClientFiles(None, client.cert, client.key, user),
    }.items():
        fleet = Fleet((parse_peer("dns+https://all:1"),), files, PATIENCE, cluster.resolve, cluster.connect)
        answer = asked(cluster.instance(name, FLOWS[:3]).serve(fleet))
        missing[name] = "".join(each["reason"] for each in answer["peers"]["missing"])

    assert "" == missing["right"]
    assert "asks for a user; name one with --peers-credentials" == missing["no user"]
    assert re.fullmatch(r"has a certificate that is not trusted \(.+\); see --peers-ca", missing["no authority"])
