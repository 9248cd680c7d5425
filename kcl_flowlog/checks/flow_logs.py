"""Checks of the inventory: subnets and interfaces of each source, flow logs and their formats, and who subscribes."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import msgspec

from kcl_flowlog.checks.permissions import PERMISSIONS
from kcl_flowlog.checks.result import FAIL, OK, WARN, Finding
from kcl_flowlog.checks.world import World
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.log_groups import LogGroups
from kcl_flowlog.counting.recommended_format import COSTS
from kcl_flowlog.counting.subnets import FlowLog, Inventory
from kcl_flowlog.inventory import coverage, overlaps
from kcl_flowlog.inventory.accounts import SourceReader, source_readers
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_denied, one_line
from kcl_flowlog.inventory.delivery_errors import DELIVERY_ERRORS
from kcl_flowlog.inventory.ec2 import read_inventory
from kcl_flowlog.inventory.merge import Reading, merge
from kcl_flowlog.inventory.problems import missing_actions

_MOST_NAMED = 5
_OPTIONAL = {row.action: row.without for row in PERMISSIONS if row.without}


def subnets(world: World) -> Iterator[Finding]:
    """EC2 lists the subnets and interfaces of each account and region."""
    readings: list[Reading] = []
    for reader in source_readers(world.config, world.aws):
        inventory = yield from _read(reader, world.clock())
        readings.append(Reading(reader.source, inventory))
    world.inventory = merge(Inventory(), readings, 0.0)


def _read(reader: SourceReader, now: float) -> Generator[Finding, None, Inventory | None]:
    key = reader.source.key
    try:
        account_id, ec2 = reader.open()
    except AWS_ERRORS as error:
        yield FAIL, f"{key}: {one_line(error)} Check the role's trust policy, and allow sts:AssumeRole on it"
        return None
    try:
        found = read_inventory(ec2, msgspec.structs.replace(reader.source, account_id=account_id), now)
    except AWS_ERRORS as error:
        why = "no permission to list its subnets; allow ec2:DescribeSubnets" if is_denied(error) else one_line(error)
        yield FAIL, f"{key}: {why}"
        return None
    missing = missing_actions(found.sources[0])
    for action in missing:
        yield WARN, f"{key}: missing permission {action}. {_OPTIONAL[action]}"
    if not found.subnets:
        yield WARN, f"{key}: no subnets; check --region, --inventory-region and --inventory-role"
    elif not missing:
        yield OK, f"{key}: {len(found.subnets)} subnets, {len(found.interfaces)} interfaces"
    return found


def flow_logs(world: World) -> Iterator[Finding]:
    """There are flow logs, they deliver, none counts twice, and each subnet has one."""
    found = coverage.find(world.inventory)
    if found.failing is None:
        yield OK, "unknown, as EC2 does not permit to list them"
        return
    named = _of_interest(world)
    if not named:
        yield WARN, "no flow log to a log group that is counted; create one with the format of the README"
        return
    problems = [
        *((FAIL, f"{each.flow_log_id}: {DELIVERY_ERRORS[each.reason]}") for each in found.failing),
        *(
            (WARN, f"{each.narrower} and {each.wider} record the same traffic, which counts twice; delete one of them")
            for each in overlaps.find(world.inventory)
        ),
    ]
    if found.uncovered:
        names = ", ".join(found.uncovered[:_MOST_NAMED])
        problems.append((WARN, f"{len(found.uncovered)} subnets have no flow log to a log group, such as {names}"))
    yield from problems
    if not problems:
        yield OK, f"{len(named)} deliver to log groups"


def formats(world: World) -> Iterator[Finding]:
    """The formats of the flow logs have all fields that the metrics need; each missing field costs something."""
    lacks: dict[str, list[str]] = {}
    named = _of_interest(world)
    for flow_log in named:
        fields = LineFormat(flow_log.log_format).fields
        for name in COSTS:
            if name not in fields:
                lacks.setdefault(name, []).append(flow_log.flow_log_id)
    for name, ids in lacks.items():
        more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
        yield WARN, f"{ids[0]}{more} without {name}: {COSTS[name]}"
    if not lacks:
        yield OK, f"{len(named)} flow logs, with all fields"


def subscriptions(world: World) -> Iterator[Finding]:
    """The log groups of the flow logs send all their events to the stream."""
    # Those of other regions and accounts reach the stream through a destination, which only its owner sees.
    groups = sorted({flow_log.log_group for flow_log in _of_interest(world) if flow_log.source == world.aws.region})
    for group in groups:
        try:
            answer = world.aws.client("logs").describe_subscription_filters(logGroupName=group)
        except AWS_ERRORS as error:
            why = "allow logs:DescribeSubscriptionFilters to know" if is_denied(error) else one_line(error)
            yield WARN, f"{group}: who subscribes is unknown; {why}"
            continue
        filters = [each for each in answer["subscriptionFilters"] if world.is_stream(each["destinationArn"])]
        if not filters:
            yield (
                WARN,
                f"{group}: no subscription sends to the stream; see aws logs put-subscription-filter in the README",
            )
        elif filters[0].get("filterPattern", ""):
            yield (
                WARN,
                f"{group}: the pattern {filters[0]['filterPattern']!r} holds records back, which then don't count",
            )
        else:
            yield OK, f"{group} sends to the stream"
    if not groups:
        yield OK, "no log groups are known"


def _of_interest(world: World) -> list[FlowLog]:
    groups = LogGroups(world.config.log_group)
    return [flow_log for flow_log in world.inventory.flow_logs if groups.has(flow_log.log_group)]
