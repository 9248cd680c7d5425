"""How many requests EC2 gets in an hour in which interfaces come and go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kcl_flowlog.inventory.accounts import SourceReader
from kcl_flowlog.inventory.keeper import InventoryKeeper
from tests.support.clocks import FakeClock
from tests.support.ec2 import HERE, INTERFACES, THERE, Item, flow_log_item, interface_item, subnet_item

HOUR = 3600.0
INTERVAL = 1800.0
# Of a refresh: the subnets, the VPCs, the flow logs, and 20 pages of interfaces, one more if there are new interfaces.
PAGES = 23


class LargeEc2:
    """EC2 with the interfaces eni-0, eni-1 … up to a number; counts its requests, a page each."""

    def __init__(self, interfaces: int) -> None:
        self.interfaces = interfaces
        self.calls = 0
        self._operation = ""

    def get_paginator(self, operation: str) -> LargeEc2:
        self._operation = operation
        return self

    def paginate(self, **parameters: Any) -> Iterator[dict[str, list[Item]]]:
        if self._operation != INTERFACES:
            self.calls += 1
            yield {"Subnets": [subnet_item(1)], "Vpcs": [], "FlowLogs": [flow_log_item(1)]}
            return
        wanted = [int(value[4:]) for each in parameters.get("Filters", ()) for value in each["Values"]]
        numbers = [number for number in wanted if number < self.interfaces] if wanted else range(self.interfaces)
        for start in range(0, max(1, len(numbers)), 1000):
            self.calls += 1
            yield {"NetworkInterfaces": [interface_item(number) for number in numbers[start : start + 1000]]}


class Account:
    """An account with 20,000 interfaces and more, and a keeper that follows it for an hour."""

    def __init__(self, *others: LargeEc2) -> None:
        self.clock = FakeClock(0.0)
        self.ec2 = LargeEc2(20_000)
        self.others = others
        readers = [SourceReader(HERE, lambda: ("", self.ec2))]
        readers += [SourceReader(THERE, lambda other=other: ("", other)) for other in others]  # type: ignore[misc]
        self.keeper = InventoryKeeper(readers, None, lambda _: None, INTERVAL, HOUR, self.clock, self.clock)
        self.keeper.refresh()
        for ec2 in (self.ec2, *others):
            ec2.calls = 0

    def follow(self, every: float, unknown: int, *, exist: bool) -> None:
        """Let an hour pass; `unknown` interfaces turn up in records every so many seconds."""
        last = self.ec2.interfaces
        while self.clock.now < HOUR:
            self.clock.now += every
            new = range(last, last + unknown)
            last += unknown
            self.ec2.interfaces += unknown if exist else 0
            self.keeper.look_up(f"eni-{number}" for number in new)
            while not self.keeper.step():
                pass

    def known(self) -> int:
        return len(self.keeper.current.interfaces)


def test_a_new_interface_every_four_seconds_costs_a_request_a_minute() -> None:
    """It was 1380 requests when each minute listed everything. All are known after a minute at the latest."""
    account = Account()

    account.follow(4.0, 1, exist=True)

    assert 20_900 - 15 <= account.known() <= 20_900
    assert 60 + 2 * (PAGES + 1) == account.ec2.calls


def test_made_up_interfaces_cost_five_requests_a_minute() -> None:
    """Two thousand of them each minute are no reason to list everything."""
    account = Account()

    account.follow(60.0, 2000, exist=False)

    assert 20_000 == account.known()
    assert 60 * 5 + 2 * PAGES == account.ec2.calls


def test_without_unknown_interfaces_there_are_only_the_refreshes() -> None:
    """Twice an hour."""
    account = Account()

    account.follow(60.0, 0, exist=False)

    assert 2 * PAGES == account.ec2.calls


def test_a_second_source_gets_no_request_for_the_interfaces_of_the_first() -> None:
    """Only its own refreshes."""
    account = Account(LargeEc2(0))

    account.follow(300.0, 1, exist=True)

    assert 2 * 4 == account.others[0].calls
