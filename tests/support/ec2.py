"""A fake EC2, and the errors of AWS clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import botocore.exceptions

from kcl_flowlog.counting.subnets import Source

SUBNETS, INTERFACES, FLOW_LOGS = "describe_subnets", "describe_network_interfaces", "describe_flow_logs"
VPCS = "describe_vpcs"

HERE = Source("eu-west-1", "111111111111", "eu-west-1")
THERE = Source("arn:aws:iam::222222222222:role/r eu-west-1", "222222222222", "eu-west-1")

Item = dict[str, Any]
Pages = Sequence[Sequence[int | Item] | Exception]


def client_error(code: str, message: str = "Because.", operation: str = "Describe") -> Exception:
    """Return the error of a client to which AWS answered with a code."""
    error: Exception = botocore.exceptions.ClientError({"Error": {"Code": code, "Message": message}}, operation)
    return error


DENIED = client_error("UnauthorizedOperation")
THROTTLED = client_error("RequestLimitExceeded")
UNREACHABLE: Exception = botocore.exceptions.EndpointConnectionError(endpoint_url="https://ec2")


def subnet_item(number: int) -> Item:
    return {"SubnetId": f"subnet-{number}", "VpcId": "vpc-1", "CidrBlock": f"10.0.{number}.0/24"}


def interface_item(number: int) -> Item:
    return {"NetworkInterfaceId": f"eni-{number}", "SubnetId": "subnet-1", "VpcId": "vpc-1"}


def flow_log_item(number: int) -> Item:
    return {
        "FlowLogId": f"fl-{number}",
        "ResourceId": "vpc-1",
        "LogGroupName": "group",
        "LogFormat": "${bytes}",
        "TrafficType": "ALL",
    }


def vpc_item(number: int) -> Item:
    return {"VpcId": f"vpc-{number}", "Tags": [{"Key": "Name", "Value": f"vpc {number}"}]}


_KEYS = {SUBNETS: "Subnets", INTERFACES: "NetworkInterfaces", FLOW_LOGS: "FlowLogs", VPCS: "Vpcs"}
_ITEMS: dict[str, Callable[[int], Item]] = {
    SUBNETS: subnet_item,
    INTERFACES: interface_item,
    FLOW_LOGS: flow_log_item,
    VPCS: vpc_item,
}


class FakeEc2:
    """EC2 with these pages of each operation.

    A number on a page is a whole item; an exception instead of a page is raised. A filter by interface id leaves one
    page. `requests` are operations with their parameters, and `calls` is the number of requests with their pages.
    """

    def __init__(self, subnets: Pages = ((1,),), interfaces: Pages = ((1,),), flow_logs: Pages = ((1,),)) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.calls = 0
        self.pages: dict[str, Pages] = {SUBNETS: subnets, INTERFACES: interfaces, FLOW_LOGS: flow_logs, VPCS: ((1,),)}

    def fail(self, operation: str, error: Exception) -> FakeEc2:
        """Raise this error from now on; returns this EC2."""
        self.pages[operation] = (error,)
        return self

    def get_paginator(self, operation: str) -> FakePaginator:
        return FakePaginator(self, operation)


class FakePaginator:
    """The pages of an operation."""

    def __init__(self, ec2: FakeEc2, operation: str) -> None:
        self._ec2 = ec2
        self._operation = operation

    def paginate(self, **parameters: Any) -> Iterator[dict[str, list[Item]]]:
        self._ec2.requests.append((self._operation, parameters))
        make = _ITEMS[self._operation]
        for page in self._filtered(parameters.get("Filters")):
            self._ec2.calls += 1
            if isinstance(page, Exception):
                raise page
            yield {_KEYS[self._operation]: [make(item) if isinstance(item, int) else item for item in page]}

    def _filtered(self, filters: list[dict[str, Any]] | None) -> Pages:
        pages = self._ec2.pages[self._operation]
        if filters is None or isinstance(pages[0], Exception):
            return pages
        ((name, wanted),) = ((each["Name"], set(each["Values"])) for each in filters)
        assert (INTERFACES, "network-interface-id") == (self._operation, name)
        assert len(wanted) <= 200
        items = [item for page in pages if not isinstance(page, Exception) for item in page]
        return ([item for item in items if _interface_id(item) in wanted],)


def _interface_id(item: int | Item) -> Any:
    return f"eni-{item}" if isinstance(item, int) else item["NetworkInterfaceId"]
