"""The stream as the settings name it."""

from __future__ import annotations

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.stream import Stream, find_stream, region_of

ARN = "arn:aws:kinesis:eu-west-1:222222222222:stream/flow-logs"
ROLE = "arn:aws:iam::222222222222:role/path/reader"
CHINA = "arn:aws-cn:kinesis:cn-north-1:222222222222:stream/flow-logs"
CHINESE_ROLE = "arn:aws-cn:iam::222222222222:role/reader"
SOVEREIGN = "arn:aws-eusc:kinesis:eusc-de-east-1:222222222222:stream/flow-logs"


@pytest.mark.parametrize(
    ("stream", "role", "region", "expected"),
    [
        ("flow-logs", "", "eu-west-1", Stream("flow-logs")),
        ("flow-logs", ROLE, "eu-west-1", Stream("flow-logs", ARN, ROLE)),
        ("flow-logs", CHINESE_ROLE, "cn-north-1", Stream("flow-logs", CHINA, CHINESE_ROLE)),
        (ARN, "", "eu-west-1", Stream("flow-logs", ARN)),
        (ARN, ROLE, "eu-west-1", Stream("flow-logs", ARN, ROLE)),
        (CHINA, CHINESE_ROLE, "cn-north-1", Stream("flow-logs", CHINA, CHINESE_ROLE)),
        (SOVEREIGN, "", "eusc-de-east-1", Stream("flow-logs", SOVEREIGN)),
    ],
)
def test_a_stream_is_named_by_name_or_arn(stream: str, role: str, region: str, expected: Stream) -> None:
    """In any partition. With a role the account is certain, so its ARN is."""
    assert expected == find_stream(stream, role, region)


@pytest.mark.parametrize(("stream", "region"), [("flow-logs", ""), (ARN, "eu-west-1"), (SOVEREIGN, "eusc-de-east-1")])
def test_an_arn_names_its_region(stream: str, region: str) -> None:
    """A name does not."""
    assert region == region_of(stream)


@pytest.mark.parametrize(
    ("stream", "role", "region", "sentence"),
    [
        (
            ARN,
            "",
            "us-east-1",
            "--stream is in eu-west-1, but --region is us-east-1; leave out --region, as the KCL keeps its leases in"
            " the region of the stream.",
        ),
        (
            ARN,
            ROLE.replace("2", "3"),
            "eu-west-1",
            "--stream belongs to account 222222222222, but --stream-role to account 333333333333; give a role of the"
            " account of the stream, as the KCL looks there for a stream of that name.",
        ),
        (
            "flow-logs",
            "reader",
            "eu-west-1",
            "'reader' is not a role such as arn:aws:iam::123456789012:role/NAME; check --stream-role.",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_an_error(stream: str, role: str, region: str, sentence: str) -> None:
    """Found before any request."""
    with pytest.raises(ConfigError) as refused:
        find_stream(stream, role, region)

    assert sentence == str(refused.value)


def test_a_role_of_another_partition_is_an_error() -> None:
    """Accounts of two partitions may have the same number."""
    with pytest.raises(ConfigError, match="give a role of the account of the stream"):
        find_stream(ARN, CHINESE_ROLE, "eu-west-1")
