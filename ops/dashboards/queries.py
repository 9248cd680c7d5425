"""Parts of queries that several dashboards use. Rates first, sums second: a shard moves between instances."""

from __future__ import annotations

from ops.dashboards.model import Query

OF_JOB = 'job="$job"'
OF_INSTANCE = 'instance=~"$instance"'
OF_VPC = 'vpc_id=~"$vpc"'
ACCEPTED = 'action!="reject"'
REJECTED = 'action="reject"'
EGRESS = 'direction="egress"'
INGRESS = 'direction="ingress"'
VPC = ("vpc_id", "vpc_name")
# A subnet that the inventory lacks is in no VPC; whatever is chosen, it stays.
_OTHER_VPCS = f'on (subnet_id) flowlog_subnet_info{{{OF_JOB},vpc_id!~"$vpc"}}'


def selector(metric: str, *matchers: str) -> str:
    """Return the series of a metric in the chosen fleet."""
    return f"{metric}{{{','.join((OF_JOB, *matchers))}}}"


def rate(metric: str, *matchers: str) -> str:
    """Return the rate of each series of a counter."""
    return f"rate({selector(metric, *matchers)}[$__rate_interval])"


def increase(metric: str, *matchers: str) -> str:
    """Return by how much each series of a counter grew in the time that the dashboard shows."""
    return f"increase({selector(metric, *matchers)}[$__range])"


def total(series: str, *labels: str) -> str:
    """Return the sum of series by labels."""
    return f"sum by ({', '.join(labels)}) ({series})" if labels else f"sum({series})"


def sums_by(series: str, *labels: str) -> Query:
    """Return the query for the sums of series by labels, which name the sums."""
    return Query(total(series, *labels), " ".join(f"{{{{{label}}}}}" for label in labels))


def in_vpc(series: str) -> str:
    """Return the series without those of VPCs that are not chosen."""
    return f"({series} unless {_OTHER_VPCS})"


def subnets(*labels: str, matchers: tuple[str, ...] = ()) -> str:
    """Return one series of the value 1 for each subnet of the inventory, with these labels, to join by subnet_id.

    Instances can differ for a while after a subnet has changed.
    """
    info = selector("flowlog_subnet_info", *matchers)
    return f"topk by (subnet_id) (1, max by ({', '.join(('subnet_id', *labels))}) ({info}))"


def tags() -> str:
    """Return one series of the value 1 for each subnet, with the chosen tag."""
    return f"topk by (subnet_id) (1, max by (subnet_id, $tag) ({selector('flowlog_subnet_tags')}))"


def by_vpc(series: str) -> str:
    """Return sums by VPC of series of subnets."""
    chosen = subnets(*VPC, matchers=(OF_VPC,))
    return total(f"{total(series, 'subnet_id')} * on (subnet_id) group_left ({', '.join(VPC)}) {chosen}", *VPC)


def outside_inventory(series: str) -> str:
    """Return the sum of series of subnets that the inventory lacks."""
    return f"sum({series} unless on (subnet_id) {selector('flowlog_subnet_info')})"


def by_tag(series: str) -> str:
    """Return sums by the chosen tag of series of subnets."""
    return total(f"{total(series, 'subnet_id')} * on (subnet_id) group_left ($tag) {tags()}", "$tag")


def by_subnet(series: str, *labels: str) -> str:
    """Return sums by subnet, with the names of the subnet if the inventory has them."""
    sums = total(series, "subnet_id", *labels)
    key = ", ".join(("subnet_id", *labels))
    return f"{sums} * on (subnet_id) group_left (name) {subnets('name')} or on ({key}) {sums}"


def share(metric: str, matcher: str) -> str:
    """Return the part of a counter's growth that a matcher selects, from 0 to 1."""
    return f"{total(rate(metric, matcher))} / {total(rate(metric))}"


def age(timestamp: str, *labels: str) -> str:
    """Return the seconds since the latest of the times that a metric shows, by labels."""
    return f"time() - max by ({', '.join(labels)}) ({timestamp})"


def largest(series: str, *labels: str) -> str:
    """Return the largest value by labels: what each instance shows alike must not be added up."""
    return f"max by ({', '.join(labels)}) ({series})" if labels else f"max({series})"
