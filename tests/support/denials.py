"""Stories of rejected flows: a line of a flow log, and what `--log-deny` writes of it in each form."""

from __future__ import annotations

from typing import NamedTuple

from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.processor.denial_forms import line_maker
from kcl_flowlog.values import DENIAL_FORMS
from tests.support.builders import INVENTORY, NOW, ORIGIN, envelope, line

V5_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets}"
    " ${bytes} ${start} ${end} ${action} ${log-status} ${vpc-id} ${subnet-id} ${instance-id} ${tcp-flags} ${type}"
    " ${pkt-srcaddr} ${pkt-dstaddr} ${region} ${az-id} ${sublocation-type} ${sublocation-id} ${pkt-src-aws-service}"
    " ${pkt-dst-aws-service} ${flow-direction} ${traffic-path}"
)


class Story(NamedTuple):
    """A line and its format; `log_stream` is the name of its log stream."""

    line: str
    format: str = DEFAULT_FORMAT
    log_stream: str = "eni-a-reject"


STORIES = {
    "tcp from the internet": Story(
        line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=22, packets=3, bytes=180)
    ),
    "udp over ipv6 to a neighbour": Story(
        line("2001:db8:1:a::10", "2001:db8:1:c::10", action="REJECT", protocol=17, dstport=53)
    ),
    "icmp has no ports": Story(
        line("203.0.113.9", "10.0.1.10", action="REJECT", protocol=1, srcport=0, dstport=0, packets=1, bytes=84)
    ),
    "icmp of ipv6": Story(
        line("2001:db8:9::1", "2001:db8:1:a::10", action="REJECT", protocol=58, srcport=0, dstport=0)
    ),
    "a protocol without a name": Story(line("203.0.113.9", "10.0.1.10", action="REJECT", protocol=132)),
    "version 5 behind a nat gateway": Story(
        "5 123456789010 eni-a 10.0.1.10 203.0.113.9 40000 443 6 2 120 1700000000 1700000060 REJECT OK vpc-1 subnet-a"
        " i-0123456789abcdef0 2 IPv4 10.0.1.99 203.0.113.9 eu-central-1 euc1-az1 - - - AMAZON egress 8",
        V5_FORMAT,
    ),
    "a traffic path of the future": Story(
        "5 123456789010 eni-a 10.0.1.10 203.0.113.9 40000 443 6 2 120 1700000000 1700000060 REJECT OK vpc-1 subnet-a"
        " - 18 IPv4 - - eu-central-1 euc1-az1 outpost op-0123456789abcdef0 - - egress 77",
        V5_FORMAT,
    ),
    "block public access gives no numbers": Story(
        "8 eni-a 198.51.100.7 10.0.1.10 40000 22 6 - - 1700000000 1700000060 REJECT OK vpc-1 subnet-a euc1-az1 ingress"
        " - - - - - BPA",
        "${version} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes}"
        " ${start} ${end} ${action} ${log-status} ${vpc-id} ${subnet-id} ${az-id} ${flow-direction} ${traffic-path}"
        " ${pkt-srcaddr} ${pkt-dstaddr} ${pkt-src-aws-service} ${pkt-dst-aws-service} ${reject-reason}",
    ),
    "a task of ecs": Story(
        "7 eni-a 198.51.100.7 10.0.1.10 443 REJECT arn:aws:ecs:eu-central-1:123456789010:task/shop/0123 shop-service",
        "${version} ${interface-id} ${srcaddr} ${dstaddr} ${dstport} ${action} ${ecs-task-arn} ${ecs-service-name}",
    ),
    "transformed to json": Story(
        '{"version":2,"accountId":"123456789010","interfaceId":"eni-a","srcAddr":"198.51.100.7","dstAddr":"10.0.1.10",'
        '"srcPort":40000,"dstPort":3389,"protocol":6,"packets":1,"bytes":40,"start":1700000000,"end":1700000060,'
        '"action":"REJECT","logStatus":"OK"}'
    ),
    "an interface that nobody knows": Story(
        line("198.51.100.7", "10.99.0.1", "eni-0badc0de", action="REJECT", dstport=23), log_stream="eni-0badc0de-all"
    ),
    "hardly any field": Story("REJECT 40000 22", "${action} ${srcport} ${dstport}", "eni-b-all"),
}


def written(story: Story, now: float = NOW) -> dict[str, bytes]:
    """Return what each form writes of a line that is a rejected flow."""
    formats = Formats((story.format,))
    makers = {form: line_maker(form, formats) for form in DENIAL_FORMS}
    lines: dict[str, bytes] = {}
    counter = PayloadCounter(
        formats,
        Attributor(Index(INVENTORY)),
        frozenset(),
        1_000_000,
        lambda denial: lines.update({form: bytes(make(denial, now)) for form, make in makers.items()}),
    )
    delta = Delta()
    counter.count(envelope(story.line, logStream=story.log_stream), ORIGIN, NOW, delta)
    counter.finish(NOW, delta)
    return lines
