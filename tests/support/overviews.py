"""What the pages / and /who show, made up: nothing, a usual hour, a large network, and text that means harm."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kcl_flowlog.counting.outcomes import EVENT_OUTCOMES
from kcl_flowlog.web.overview import (
    HOUR,
    Books,
    Minutes,
    OutcomeLine,
    Overview,
    SettingLine,
    ShardLine,
    SourceLine,
    SubnetTraffic,
    Traffic,
)
from kcl_flowlog.web.who_page import Answer, Question
from kcl_flowlog.web.who_report import (
    Accepted,
    HeavyAddress,
    HeavyPair,
    HeavyPort,
    InterfaceNote,
    MissingPeer,
    Peers,
    Rejected,
    SubnetLine,
    WhoReport,
)

NOW = 1_800_000_000.0
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e{{ 7 * 7 }}' + "W" * 180
IDENTITY = (
    ("version", "1.2.3"),
    ("stream", "flow-logs"),
    ("application", "kcl-flowlog"),
    ("worker_id", "ip-10-0-3-17-4f1c"),
    ("region", "eu-central-1"),
    ("java", "21.0.9"),
    ("kcl", "3.1.3"),
)
SETTINGS = (
    SettingLine("--stream", "flow-logs", False),
    SettingLine("--traffic-labels", "protocol, peer, path", False),
    SettingLine("--java-options", "set, not shown", False),
    SettingLine("--retrieval", "polling", True),
    SettingLine("--region", "", True),
)
OUTCOMES = {"counted": 18_204_331, "nodata": 912_004, "skipdata": 3, "duplicate": 2_210, "malformed": 12}
NAMES = ("web", "app", "db", "cache", "nat", "batch")
EMPTY = Overview(NOW, IDENTITY)
STARTING = Overview(NOW, IDENTITY, "The KCL daemon is starting.")


def minutes(scale: float, rejected: float, seed: int, burst_at: int = -1, number: int = HOUR) -> Minutes:
    """Return minutes around `scale` bytes and `rejected` flows; a burst of rejected flows begins at a minute."""
    draw = random.Random(seed)
    wave = [1 + 0.35 * math.sin((place + 7 * seed) / 9) for place in range(number)]
    ingress = [scale * height * draw.uniform(0.8, 1.2) for height in wave]
    burst = [12 * math.exp(-(place - burst_at) / 6) if 0 <= burst_at <= place else 0 for place in range(number)]
    flows = [rejected * (draw.uniform(0.6, 1.4) + height) for height in burst]
    return Minutes(ingress, [0.4 * size for size in ingress], [0.0] * number, flows)


def traffic(subnets: int, number: int = HOUR, name: Callable[[int], str] = str) -> Traffic:
    """Return the traffic of subnets with falling sizes."""
    lines = [
        SubnetTraffic(
            f"subnet-{0x0B1F5D2C7A9E40831 + 977 * place:017x}",
            name(place),
            "production",
            minutes(4e8 / (1 + place), 40 if place % 3 == 0 else 0.4, place, 38 if place == 3 else -1, number),
            max(1, 900 // (1 + place)),
            max(1, 60 // (1 + place)),
        )
        for place in range(subnets)
    ]
    columns = [
        [sum(values) for values in zip(*several, strict=True)]
        for several in zip(*(x.minutes for x in lines), strict=True)
    ]
    return Traffic(number, Minutes(*columns), lines)


def zone(place: int) -> str:
    """Return the name of a subnet."""
    return f"{NAMES[place % len(NAMES)]}-{'abc'[place // len(NAMES) % 3]}"


def shards(number: int) -> Sequence[ShardLine]:
    """Return shards of which every seventh has not been read yet."""
    return [
        ShardLine(f"shardId-{place:012}", 0.4 + place % 5, NOW - 2 - place, NOW - 4 - place)
        if place % 7 != 6
        else ShardLine(f"shardId-{place:012}", None, 0.0, 0.0)
        for place in range(number)
    ]


def books(*imbalances: str) -> Books:
    return Books(
        NOW - 21,
        [OutcomeLine(name, OUTCOMES.get(name, 0), word.advice) for name, word in EVENT_OUTCOMES.items()],
        imbalances,
    )


FULL = Overview(
    NOW,
    IDENTITY,
    shards=shards(5),
    open_shards=12,
    subnets=18,
    interfaces=412,
    sources=(
        SourceLine("123456789012", "eu-central-1", NOW - 340, ()),
        SourceLine("210987654321", "eu-central-1", NOW - 341, ("ec2:DescribeVpcs",)),
        SourceLine("", "eu-west-1", 0.0, ()),
    ),
    books=books(),
    traffic=traffic(12, name=zone),
    settings=SETTINGS,
)
LARGE = FULL._replace(shards=shards(100), subnets=1000, interfaces=48_000, traffic=traffic(1000, name=zone))
_LINE = SubnetTraffic(HOSTILE, HOSTILE, HOSTILE, minutes(1e6, 3, 1), 5, 5)
BAD = FULL._replace(
    identity=((HOSTILE, HOSTILE),),
    shards=[ShardLine(HOSTILE, 2.0, NOW, NOW)],
    sources=[SourceLine(HOSTILE, HOSTILE, NOW, (HOSTILE,))],
    books=books(HOSTILE),
    traffic=Traffic(HOUR, _LINE.minutes, [_LINE]),
    settings=[SettingLine("--stream", HOSTILE, False)],
)


class Who(NamedTuple):
    """Answers every question with the same lines and report."""

    lines: list[SubnetLine]
    found: WhoReport
    peers: Peers | None = None

    def answer(self, question: Question) -> Answer:
        return Answer(self.lines, self.found, self.peers)

    def own(self, question: Question) -> bytes:
        return b""


_WEB = InterfaceNote(
    "eni-0a1b2c3d4e5f60718",
    FULL.traffic.subnets[0].subnet_id,
    "ELB app/web/50dc6c495c0c9188",
    "interface",
    "",
    ("web", "monitoring"),
    "web",
)
_NAT = InterfaceNote(
    "eni-0f1e2d3c4b5a69788", FULL.traffic.subnets[4].subnet_id, "Interface for NAT Gateway", "nat_gateway"
)
_SOURCES = [
    HeavyAddress(f"198.51.100.{7 * place + 1}", 48_211 // (1 + place), 48_211 // (1 + place) + 9 * place)
    for place in range(8)
]
_PORTS = [
    HeavyPort("tcp", port, 30_000 // (1 + place), 30_000 // (1 + place))
    for place, port in enumerate((22, 3389, 445, 23, 8080))
]
FULL_WHO = Who(
    [SubnetLine(line.subnet_id, line.name, "vpc-0c4e8a1f2b6d73950", *line[-2:]) for line in FULL.traffic.subnets],  # type: ignore[arg-type]
    WhoReport(
        *(FULL.traffic.subnets[0].subnet_id, "web-a", "vpc-0c4e8a1f2b6d73950", int(NOW) - 3600, int(NOW)),
        Rejected(
            12_842,
            214,
            False,
            _SOURCES,
            _PORTS,
            [HeavyPair(each.address, "10.0.1.10", each.about, each.at_most, None, _WEB) for each in _SOURCES[:5]],
        ),
        Accepted(
            [
                HeavyAddress("10.0.1.10", 71_000_000_000, 71_000_000_000, _WEB),
                HeavyAddress("203.0.113.80", 9_800_000_000, 9_900_000_000),
            ],
            [
                HeavyAddress("10.0.9.4", 24_100_000_000, 24_100_000_000, _NAT),
                HeavyAddress("2001:db8:1111:2222:3333:4444:5555:6666", 120_000_000, 130_000_000),
            ],
        ),
    ),
)
_NOTHING = WhoReport("subnet-a", "", "", int(NOW) - 3600, int(NOW), Rejected(0, 0, False, [], [], []), Accepted([], []))
EMPTY_WHO = Who([], _NOTHING)
_NOTE = InterfaceNote(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), HOSTILE)
_HEAVY = HeavyAddress(HOSTILE, 3, 4, _NOTE)
BAD_WHO = Who(
    [SubnetLine(HOSTILE, HOSTILE, HOSTILE, 5, 5)],
    WhoReport(
        *(HOSTILE, HOSTILE, HOSTILE, int(NOW) - 3600, int(NOW)),
        Rejected(
            5, 5, True, [_HEAVY], [HeavyPort(HOSTILE, 22, 3, 3)], [HeavyPair(HOSTILE, HOSTILE, 3, 3, _NOTE, _NOTE)]
        ),
        Accepted([_HEAVY], [_HEAVY]),
    ),
    Peers(2, [MissingPeer(HOSTILE, HOSTILE)]),
)
