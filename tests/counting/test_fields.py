"""The fields of VPC flow logs."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.fields import KINDS, nearest_field

# Values of all partitions, some of them of the future.
REAL = {
    "version": "2 11 100",
    "number": "0 999999999999999",
    "port": "0 65535",
    "protocol": "0 255",
    "flags": "0 511",
    "path": "1 8 10",
    "time": "1700000000 1700000000000",
    "account": "123456789012 unknown",
    "address": "10.0.0.1 255.255.255.255 :: 2001:db8::1 ::ffff:10.0.0.1 2001:db8:1234:a100:8d6e:3477:df66:f105",
    "interface": "eni-1235b8ca eni-0123456789abcdef0 eni-a",
    "vpc": "vpc-0123456789abcdef0 vpc-1",
    "subnet": "subnet-0123456789abcdef0 subnet-pods",
    "instance": "i-0123456789abcdef0 i-1",
    "arn": "arn:aws:ecs:eu-west-1:1:cluster/a arn:aws-us-gov:ecs:x arn:aws-iso-b:ecs:x arn:aws-eusc:ecs:x",
    "region": (
        "us-east-1 ap-southeast-7 us-gov-west-1 cn-north-1 us-iso-east-1 us-isob-east-1 eu-isoe-west-1 us-isof-south-1"
        " eusc-de-east-1 mx-central-1 m2m-orbit2-inner-west-12"
    ),
    "zone": (
        "use1-az1 usgw1-az2 cnn1-az1 usisob-east-az1 eusc-de-e1-az1 usw2-lax1-az1 use1-wl1-bos-wlz1 us-east-1a"
        " us-west-2-lax-1a"
    ),
    "sublocation": "wavelength outpost localzone orbital-deck",
    "service": "S3 EC2 AMAZON IVS_LOW_LATENCY MEDIA_PACKAGE_V2 CLOUD9 3D_PRINTING S3-EXPRESS",
    "action": "ACCEPT REJECT",
    "status": "OK NODATA SKIPDATA",
    "type": "IPv4 IPv6 EFA IPv8 SRD2",
    "direction": "ingress egress",
    "text": "anything %2D ²",
}

# Values that are certainly of another kind.
FOREIGN = {
    "version": "1700000000 4249",
    "region": "use1-az1 eusc-de-e1-az1 usw2-lax1-az1 subnet-0123456789abcdef0 10.0.0.1 1700000000 ingress - us--east-1",
    "zone": "eni-0123456789abcdef0 vpc-1 subnet-a i-0123456789abcdef0 tgw-attach-1 nat-1 fl-1 1700000000 ingress az1-",
    "service": "1700000000 6 - _ ACCEPT REJECT OK NODATA SKIPDATA IPv4 eni-1 10.0.0.1 2001:DB8::1",
    "sublocation": "ingress egress unknown use1-az1 1700000000 IPv4 OK",
    "type": "ACCEPT REJECT OK NODATA SKIPDATA 6 1700000000 ingress AMAZON_CONNECT eni-1",
    "interface": "vpc-1 eni- i-1",
    "instance": "eni-1 subnet-1 vpc-1",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_real_value_fits_its_kind(kind: str) -> None:
    """A shape is never narrower than AWS: no partition, no kind of zone, no later name is refused."""
    assert [] == [value for value in REAL[kind].split() if not KINDS[kind](value)]


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_certainly_of_another_kind_does_not_fit(kind: str) -> None:
    """This tells one format from another."""
    assert [] == [value for value in FOREIGN[kind].split() if KINDS[kind](value)]


@pytest.mark.parametrize(("name", "expected"), [("scraddr", "srcaddr"), ("bites", "bytes"), ("zz", "az-id")])
def test_the_nearest_field(name: str, expected: str) -> None:
    """Whatever the name, there is a suggestion."""
    assert expected == nearest_field(name)
