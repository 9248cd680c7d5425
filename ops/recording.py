"""The recording rules: rates for each subnet, and the usual rate at this time of day.

The usual rate is the median over the same hour of the last days. It exists once the fleet has a day and an hour
of history: before that, nothing is unusual. A series that began since yesterday had a usual rate of 0.
"""

from __future__ import annotations

from typing import NamedTuple

from ops.values import Values

Rule = dict[str, str]
INSIDE = "same_subnet|same_zone|cross_zone|cross_region|private"

EVENTS_RATE = "job:flowlog_events:rate15m"
PORTS = "job_subnet_id_direction_port:flowlog_rejected_port_flows:increase1h"


class Traffic(NamedTuple):
    """A rate for each subnet: the words of its name, its labels besides `job`, and the counters it sums.

    `window` is that of the rate that is compared with the usual rate.
    """

    name: str
    labels: tuple[str, ...]
    counters: tuple[str, ...]
    window: str = "1h"

    def recorded(self, operation: str) -> str:
        """Return the name of a recorded series, such as job_subnet_id:flowlog_internet_bytes:rate1h."""
        return f"{'_'.join(('job', *self.labels))}:flowlog_{self.name}:{operation}"

    def rate(self, window: str) -> str:
        """Return the sum of the rates. Each counter has its own label values, so `or` loses none."""
        rates = " or ".join(f"rate({counter}[{window}])" for counter in self.counters)
        return f"sum by ({', '.join(('job', *self.labels))}) ({rates})"


REJECTED = Traffic("rejected_flows", ("subnet_id", "direction"), ('flowlog_flows_total{action="reject"}',), "15m")
REJECTED_FROM_INSIDE = Traffic(
    "rejected_flows_from_inside",
    ("subnet_id",),
    (
        'flowlog_flows_total{action="reject",direction="egress"}',
        f'flowlog_flows_total{{action="reject",direction="ingress",peer=~"{INSIDE}"}}',
    ),
    "15m",
)
_EGRESS = 'flowlog_bytes_total{{action!="reject",direction="egress",peer="{}"}}'
INTERNET = Traffic("internet_bytes", ("subnet_id",), (_EGRESS.format("internet"),))
CROSS_ZONE = Traffic("cross_zone_bytes", ("subnet_id",), (_EGRESS.format("cross_zone"),))
CROSS_REGION = Traffic("cross_region_bytes", ("subnet_id",), (_EGRESS.format("cross_region"),))
NAT_GATEWAY = Traffic(
    "nat_gateway_bytes",
    ("subnet_id",),
    ('flowlog_bytes_total{action!="reject",direction="ingress",interface_type="nat_gateway"}',),
)
TRAFFIC = (REJECTED, REJECTED_FROM_INSIDE, INTERNET, CROSS_ZONE, CROSS_REGION, NAT_GATEWAY)


class Distinct(NamedTuple):
    """A number of distinct names for each subnet, over the last hour.

    Each instance counts for its shards only. As two instances may see the same name, a sum would be too high: the
    highest number is never more than the truth.
    """

    name: str

    def recorded(self, operation: str) -> str:
        """Return the name of a recorded series, such as job_subnet_id:flowlog_rejected_distinct_ports:max."""
        return f"job_subnet_id:flowlog_{self.name}:{operation}"


DISTINCT_PORTS = Distinct("rejected_distinct_ports")
DISTINCT_SOURCES = Distinct("rejected_distinct_sources")
DISTINCT = (DISTINCT_PORTS, DISTINCT_SOURCES)


def recording_rules(values: Values) -> dict[str, list[Rule]]:
    """Return the recording rules by the name of their group."""
    rates = [
        {"record": EVENTS_RATE, "expr": "sum by (job) (rate(flowlog_events_total[15m]))"},
        *(
            {"record": traffic.recorded(f"rate{window}"), "expr": traffic.rate(window)}
            for traffic in TRAFFIC
            for window in sorted({traffic.window, "1h"})
        ),
        {
            "record": PORTS,
            "expr": "sum by (job, subnet_id, direction, port)"
            ' (increase(flowlog_rejected_port_flows_total{port!="other"}[1h]))',
        },
        *(
            {"record": number.recorded("max"), "expr": f"max by (job, subnet_id) (flowlog_{number.name})"}
            for number in DISTINCT
        ),
    ]
    usual = [
        *({"record": traffic.recorded("usual_rate1h"), "expr": _usual_rate(traffic, values)} for traffic in TRAFFIC),
        *(
            {
                "record": number.recorded("usual_max"),
                "expr": _usual(number.recorded("max"), ("subnet_id",), _same_hours(values)),
            }
            for number in DISTINCT
        ),
    ]
    return {"kcl-flowlog.rates": rates, "kcl-flowlog.usual": usual}


def _usual_rate(traffic: Traffic, values: Values) -> str:
    # The same hour; for a shorter window the hour whose middle is this time of day.
    minutes = [offset - (0 if traffic.window == "1h" else 30) for offset in _same_hours(values)]
    return _usual(traffic.recorded("rate1h"), traffic.labels, minutes)


def _same_hours(values: Values) -> list[int]:
    """Return how many minutes ago it was the same time, on each day before."""
    return [24 * 60 * day for day in range(1, values.usual_days + 1)]


def _usual(recorded: str, labels: tuple[str, ...], minutes: list[int]) -> str:
    # An hour that the fleet did not see from its beginning is no whole hour.
    days = "\n    or ".join(
        f"label_replace({recorded} offset {offset}m and on (job) {EVENTS_RATE} offset {offset + 60}m,"
        f' "day", "{day}", "", "")'
        for day, offset in enumerate(minutes, 1)
    )
    return (
        f"quantile by ({', '.join(('job', *labels))}) (0.5,\n    {days}\n)\n"
        f"or\n({recorded} * 0 and on (job) {EVENTS_RATE} offset {minutes[0] + 60}m)"
    )
