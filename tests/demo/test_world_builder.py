"""The network of the demo, made in the embedded AWS."""

from __future__ import annotations

import ipaddress

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.world import World
from kcl_flowlog.demo.world_builder import LOG_FORMAT


def test_the_world_is_what_ec2_describes(aws: EmbeddedAWS, world: World) -> None:
    """Subnets, interfaces and their addresses are the same in EC2 as in the world."""
    ec2 = aws.client("ec2")
    described = ec2.describe_network_interfaces(NetworkInterfaceIds=[i.id for i in world.interfaces])
    expected = {i.id: (i.subnet.id, i.subnet.vpc_id, i.ipv4, i.ipv6) for i in world.interfaces}
    actual = {
        i["NetworkInterfaceId"]: (
            i["SubnetId"],
            i["VpcId"],
            tuple(address["PrivateIpAddress"] for address in i["PrivateIpAddresses"]),
            tuple(address["Ipv6Address"] for address in i["Ipv6Addresses"]),
        )
        for i in described["NetworkInterfaces"]
    }
    assert expected == actual
    subnets = ec2.describe_subnets(SubnetIds=[subnet.id for subnet in world.subnets])["Subnets"]
    assert {subnet.name for subnet in world.subnets} == {subnet["Tags"][0]["Value"] for subnet in subnets}


def test_no_subnet_is_without_flow_logs(aws: EmbeddedAWS, world: World) -> None:
    """A new account has subnets that nobody records; an alert would be right to say so."""
    described = aws.client("ec2").describe_subnets()["Subnets"]
    assert {subnet.id for subnet in world.subnets} == {subnet["SubnetId"] for subnet in described}


def test_an_ipv6_block_of_a_subnet_is_associated(aws: EmbeddedAWS, world: World) -> None:
    """DescribeSubnets gives the state of an IPv6 block in EC2's own word."""
    wanted = {subnet.id: subnet.ipv6_cidr for subnet in world.subnets if subnet.ipv6_cidr}
    described = aws.client("ec2").describe_subnets(SubnetIds=list(wanted))["Subnets"]
    blocks = {subnet["SubnetId"]: subnet["Ipv6CidrBlockAssociationSet"] for subnet in described}
    assert wanted == {subnet_id: block["Ipv6CidrBlock"] for subnet_id, (block,) in blocks.items()}
    assert {"associated"} == {block["Ipv6CidrBlockState"]["State"] for (block,) in blocks.values()}


def test_the_vpcs_overlap_and_the_rest_is_varied(world: World) -> None:
    """Every CIDR occurs in both VPCs; there are two zones, IPv6 and secondary addresses, and idle interfaces."""
    by_vpc = {vpc: [s.cidr for s in world.subnets if s.vpc_id == vpc] for vpc in {s.vpc_id for s in world.subnets}}
    first, second = by_vpc.values()
    assert first == second
    assert len(world.subnets) == 6
    assert len({subnet.zone_id for subnet in world.subnets}) == 2
    assert {1, 2} == {len(interface.ipv4) for interface in world.interfaces}
    assert {0, 1} == {len(interface.ipv6) for interface in world.interfaces}
    assert {True, False} == {interface.idle for interface in world.interfaces}
    for interface in world.interfaces:
        for address in (*interface.ipv4, *interface.ipv6):
            cidr = interface.subnet.ipv6_cidr if ":" in address else interface.subnet.cidr
            assert ipaddress.ip_address(address) in ipaddress.ip_network(cidr)


def test_each_vpc_has_a_nat_gateway_that_ec2_calls_so(aws: EmbeddedAWS, world: World) -> None:
    """The product tells its traffic by the type of its interface."""
    ids = [nat.id for nat in world.nat_gateways]
    described = aws.client("ec2").describe_network_interfaces(NetworkInterfaceIds=ids)["NetworkInterfaces"]
    expected = {nat.id: ("nat_gateway", nat.subnet.id, nat.ipv4[0]) for nat in world.nat_gateways}
    assert expected == {
        each["NetworkInterfaceId"]: (each["InterfaceType"], each["SubnetId"], each["PrivateIpAddress"])
        for each in described
    }
    assert ["shop-public-a", "lab-public-a"] == [nat.subnet.name for nat in world.nat_gateways]


def test_every_vpc_has_a_flow_log_into_its_own_log_group(aws: EmbeddedAWS, world: World) -> None:
    """DescribeFlowLogs names the log group and the format of both VPCs."""
    logs = aws.client("ec2").describe_flow_logs()["FlowLogs"]
    expected = {(subnet.vpc_id, subnet.log_group, LOG_FORMAT) for subnet in world.subnets}
    assert expected == {(log["ResourceId"], log["LogGroupName"], log["LogFormat"]) for log in logs}
    assert {"/vpc/shop/flow-logs", "/vpc/lab/flow-logs"} == {subnet.log_group for subnet in world.subnets}
