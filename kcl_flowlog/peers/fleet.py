"""All peers that are set, asked at once: the names are resolved anew each time, as instances come and go.

Never raises: what is missing is in the result, each with its reason.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from kcl_flowlog.client.exchange import Left, seconds_left
from kcl_flowlog.config import Config
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.peers.client_files import Access, ClientFiles
from kcl_flowlog.peers.one_peer import Address, Connect, NoAnswer, PeerQuestion, ask
from kcl_flowlog.peers.own_answer import OwnAnswer
from kcl_flowlog.peers.threads import Threads
from kcl_flowlog.values import PeerUrl
from kcl_flowlog.web.who_report import MissingPeer

MOST_PEERS = 64

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a name. Raises `OSError`."""


class Answered(NamedTuple):
    """An answer, and who gave it."""

    peer: str
    answer: OwnAnswer


class Asked(NamedTuple):
    """What all peers together have answered, in the order in which they are set."""

    answers: Sequence[Answered]
    missing: Sequence[MissingPeer]


def addresses_of(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, as the system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [*dict.fromkeys(str(address[0]) for *_, address in found)]


class Fleet:
    """The other instances."""

    def __init__(
        self,
        peers: Sequence[PeerUrl],
        files: ClientFiles,
        timeout: float,
        resolve: Resolve = addresses_of,
        connect: Connect = socket.create_connection,
    ) -> None:
        self._peers = peers
        self._files = files
        self._timeout = timeout
        self._resolve = resolve
        self._connect = connect
        self._threads = Threads(MOST_PEERS)

    @classmethod
    def of(cls, config: Config) -> Fleet:
        """Return the fleet of `--peers`."""
        files = ClientFiles(
            config.peers_ca, config.peers_client_cert, config.peers_client_key, config.peers_credentials
        )
        return cls(config.peers, files, config.peers_timeout)

    def check(self) -> None:
        """Read the files. Raises `ConfigError`."""
        self._files.read(any(peer.is_tls for peer in self._peers))

    def ask(self, question: PeerQuestion) -> Asked:
        """Ask all peers beside each other, and wait for them no longer than the timeout."""
        left = seconds_left(self._timeout)
        addresses, missing = self._addresses(left)
        try:
            access = self._files.read(any(address.peer.is_tls for address in addresses))
        except ConfigError as error:
            return Asked(
                [],
                [
                    *missing,
                    *(MissingPeer(each.shown, f"was not asked: {str(error).rstrip('.')}") for each in addresses),
                ],
            )
        answers = []
        for address, answer in self._threads.each(
            partial(self._answer, question, access, left), addresses, _rest(left)
        ):
            if isinstance(answer, OwnAnswer):
                answers.append(Answered(address.shown, answer))
            else:
                missing.append(MissingPeer(address.shown, answer or self._too_late))
        return Asked(answers, missing)

    @property
    def _too_late(self) -> str:
        return f"did not answer within {self._timeout:g} s"

    def _addresses(self, left: Left) -> tuple[list[Address], list[MissingPeer]]:
        """Return where to ask, and the names without an address."""
        names = [peer for peer in self._peers if peer.is_dns]
        # A name service that hangs must leave time for the other peers.
        resolved = dict(self._threads.each(self._resolved, names, _rest(left) / 2))
        addresses: list[Address] = []
        missing = []
        for peer in self._peers:
            found = resolved[peer] if peer.is_dns else [Address(peer, peer.host)]
            if isinstance(found, list):
                addresses += found
            else:
                missing.append(MissingPeer(Address(peer, peer.host).shown, found or self._too_late))
        if len(addresses) > MOST_PEERS:
            more = f", nor {len(addresses) - MOST_PEERS - 1} more" if len(addresses) > MOST_PEERS + 1 else ""
            missing.append(MissingPeer(addresses[MOST_PEERS].shown, f"was not asked{more}: at most {MOST_PEERS} are"))
        return addresses[:MOST_PEERS], missing

    def _resolved(self, peer: PeerUrl) -> list[Address] | str:
        """Return the addresses of a name, or why it has no address."""
        try:
            return [Address(peer, host) for host in self._resolve(peer.host, peer.port)]
        except (OSError, UnicodeError) as error:
            return f"has no address ({getattr(error, 'strerror', None) or error})"

    def _answer(self, question: PeerQuestion, access: Access, left: Left, address: Address) -> OwnAnswer | str:
        """Return the answer, or why the peer gives no answer."""
        try:
            return ask(address, question, access, left, self._connect)
        except TimeoutError:
            return self._too_late
        except NoAnswer as error:
            return str(error)


def _rest(left: Left) -> float:
    """Return the seconds that are left, 0 if the time is over."""
    try:
        return left()
    except TimeoutError:
        return 0.0
