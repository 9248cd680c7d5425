"""The traffic of the story: quiet traffic, and the flows of the act that is on.

Pure, apart from the random generator and the clock of the story: the same seed, world and times give the same records.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from kcl_flowlog.demo.records import TCP, End, Flow, Record, peer_label, records_of
from kcl_flowlog.demo.story import BURST, NAT, SCAN, SPRAY, STOPPED
from kcl_flowlog.demo.tally import Sums
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.world import Interface, World

_CLIENT_OF_S3 = "shop-private-a"
# 198.18.0.0/15 is reserved for tests, and not private; no other conversation of the demo uses it.
_S3 = End("198.19.0.80", peer_label="internet")
_ATTACKER = End("198.19.0.66", peer_label="internet")
_SCANNER = End("198.19.0.23", peer_label="internet")
_FIRST_SCANNED = 20
_SPRAYED = 3389
_TRY = Sums(1, 1, 44)
# A download from S3: full packets, and an acknowledgement for every second packet.
_DOWNLOAD, _ACKNOWLEDGEMENTS = Sums(1, 70_000, 70_000 * 1452), Sums(1, 35_000, 35_000 * 52)


def _tried(source: End, targets: Sequence[Interface], number: int, port: int) -> Flow:
    """Return flow `number` of a source, rejected at one of the targets in turn."""
    target = targets[number % len(targets)]
    return Flow(source, End(target.ipv4[0], target), TCP, 32768 + number % 28000, port, _TRY, "target")


def _burst(targets: Sequence[Interface], number: int) -> Flow:
    return _tried(_ATTACKER, targets, number, 443)


def _scan(targets: Sequence[Interface], number: int) -> Flow:
    return _tried(_SCANNER, targets, number, _FIRST_SCANNED + number // len(targets))


def _spray(targets: Sequence[Interface], number: int) -> Flow:
    source = End(f"198.18.{number // 250}.{number % 250 + 1}", peer_label="internet")
    return _tried(source, targets, number, _SPRAYED)


_FLOWS = {BURST: _burst, SCAN: _scan, SPRAY: _spray}


class StoryTraffic:
    """Generates the flow records of `world`; `second` tells the second of the story, negative before it begins."""

    def __init__(self, world: World, rng: random.Random, second: Callable[[], float]) -> None:
        self._interfaces = {subnet.name: world.interfaces_of(subnet) for subnet in world.subnets}
        (self._gateway,) = [nat for nat in world.nat_gateways if nat.subnet.name == NAT.subnet]
        self._rng = rng
        self._second = second
        self._last = second()
        self._quiet = Traffic(world, rng, is_quiet=True)

    def step(self, now: int, seconds: float, wanted: int) -> list[Record]:
        """Return the records of the `seconds` before `now` (Unix seconds): at least `wanted`, and those of the act."""
        second = self._second()
        if second >= STOPPED.start:
            self._quiet.leave_out(self._interfaces[STOPPED.subnet][0])
        flows = [
            make(self._interfaces[act.subnet], number)
            for act, make in _FLOWS.items()
            for number in range(act.flows_until(self._last), act.flows_until(second))
        ]
        for _ in range(round(NAT.rate * seconds)):
            flows += self._download(through_nat=NAT.start <= second < NAT.end)
        self._last = second
        return [*self._quiet.step(now, seconds, wanted), *records_of(flows, now, self._rng)]

    def _download(self, *, through_nat: bool) -> list[Flow]:
        """Return what the client records of a download from S3, and what the NAT gateway records on both sides."""
        port = self._rng.randint(32768, 60999)
        interface = self._interfaces[_CLIENT_OF_S3][0]
        client = End(interface.ipv4[0], interface)
        ends = [(_S3, client)]
        if through_nat:
            nat = End(self._gateway.ipv4[0], self._gateway)
            # Without its interface, as the client has recorded these flows with S3's address.
            behind = End(client.address, peer_label=peer_label(self._gateway, client))
            ends += [(_S3, nat), (nat, behind)]
        return [
            flow
            for server, receiver in ends
            for flow in (
                Flow(server, receiver, TCP, 443, port, _DOWNLOAD),
                Flow(receiver, server, TCP, port, 443, _ACKNOWLEDGEMENTS),
            )
        ]
