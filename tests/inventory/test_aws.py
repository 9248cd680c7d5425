"""Credentials, the region, and the first look at the stream."""

import os

import botocore.exceptions
import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws import (
    AWS_ERRORS,
    Aws,
    check_region,
    daemon_environment,
    is_denied,
    resolve_region,
    role_account,
    with_old_names,
)

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture(autouse=True)
def no_other_settings(monkeypatch, tmp_path):
    """No setting of this machine, no instance role, and an AWS configuration of the test's own."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.mark.parametrize(
    ("environ", "taken"),
    [
        ({"AWS_ACCESS_KEY": "AKIA", "AWS_SECRET_KEY": "secret"}, KEYS),
        ({**KEYS, "AWS_ACCESS_KEY": "old", "AWS_SECRET_KEY": "old"}, KEYS),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_ACCESS_KEY": "AKIA"}, {"AWS_ACCESS_KEY_ID": "AKIA"}),
        ({"AWS_ACCESS_KEY": ""}, {}),
        ({"HOME": "/root"}, {}),
    ],
    ids=["old alone", "modern goes first", "an empty modern one is none", "an empty old one is none", "neither"],
)
def test_old_names_of_credentials_are_taken_over_where_the_modern_ones_are_not_set(environ, taken):
    """What flowlog-exporter read still works, and nothing else of the environment changes."""
    assert with_old_names(environ) == {**environ, **taken}


@pytest.mark.parametrize(
    ("asked", "environ", "region"),
    [
        ("eu-west-1", {"AWS_REGION": "us-east-1"}, "eu-west-1"),
        ("", {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-west-2"}, "us-east-1"),
        ("", {"AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
        ("", {"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
        ("", {}, "eu-south-2"),
        ("us-gov-west-1", {}, "us-gov-west-1"),
        ("cn-north-1", {}, "cn-north-1"),
    ],
)
def test_the_region_is_the_flags_the_environments_or_the_profiles(asked, environ, region, tmp_path):
    """The flag goes first, then AWS_REGION, then AWS_DEFAULT_REGION, then the profile."""
    (tmp_path / "config").write_text("[default]\nregion = eu-south-2\n")
    assert resolve_region(asked, environ) == region


def test_no_region_anywhere_is_told():
    """Without a region there is no stream to look at."""
    with pytest.raises(ConfigError, match=r"^No AWS region: name it with --region REGION or AWS_REGION\.$"):
        resolve_region("", {})


@pytest.mark.parametrize("region", ["frankfurt", "eu-central", "eu central 1", "EU-CENTRAL-1"])
def test_a_region_that_aws_can_not_have_is_told(region):
    """A mistyped region is told before anything is asked of an address that does not exist."""
    with pytest.raises(ConfigError, match=f"^AWS has no region '{region}'; name yours with --region"):
        resolve_region(region, {})


def test_a_profile_that_does_not_exist_is_told(monkeypatch):
    """A mistyped AWS_PROFILE is the user's to mend."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigError) as caught:
        resolve_region("eu-west-1", {})
    assert str(caught.value) == "AWS can't be used with these settings: The config profile (nobody) could not be found."


def test_the_daemon_reads_the_region_under_each_name():
    """Java's AWS library reads one variable, boto3 another; both get the same region."""
    environ = {"AWS_REGION": "other", "HOME": "/root"}
    assert daemon_environment(environ, "eu-west-1") == {
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "HOME": "/root",
    }


def test_clients_have_the_region_and_the_credentials_given():
    """A client signs with the credentials of the environment it was given, not of the process."""
    client = Aws("eu-west-1", {**KEYS, "AWS_SESSION_TOKEN": "token"}).client("ec2")
    credentials = client._request_signer._credentials
    assert client.meta.region_name == "eu-west-1"
    assert (credentials.access_key, credentials.secret_key, credentials.token) == ("AKIA", "secret", "token")


class FakeKinesis:
    """Kinesis that answers, or raises this error."""

    def __init__(self, error=None):
        self.error = error
        self.asked = []

    def describe_stream_summary(self, **asked):
        self.asked.append(asked["StreamName"])
        if self.error is not None:
            raise self.error


def look(error=None):
    """Look at a stream with such a Kinesis; return what it was asked."""
    kinesis = FakeKinesis(error)
    aws = Aws("eu-west-1", KEYS)
    aws.client = {"kinesis": kinesis}.__getitem__
    aws.check_stream("flow-logs")
    return kinesis.asked


def refusal(code, message="Because."):
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStreamSummary")


def test_the_stream_is_looked_at_once():
    """A stream that is there needs no more than one request."""
    assert look() == ["flow-logs"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"])
def test_without_permission_to_look_it_goes_on(code, caplog):
    """The daemon can do without this permission, so its lack is a warning that names it."""
    assert look(refusal(code)) == ["flow-logs"]
    assert "kinesis:DescribeStreamSummary" in caplog.text


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            refusal("ResourceNotFoundException"),
            "There is no stream 'flow-logs' in region eu-west-1; check --stream and --region.",
        ),
        (
            refusal("UnrecognizedClientException"),
            "AWS does not accept these credentials (UnrecognizedClientException); renew or correct them.",
        ),
        (
            refusal("ExpiredTokenException"),
            "AWS does not accept these credentials (ExpiredTokenException); renew or correct them.",
        ),
        (
            refusal("LimitExceededException"),
            "Kinesis refuses to describe the stream 'flow-logs': An error occurred (LimitExceededException) when"
            " calling the DescribeStreamSummary operation: Because.",
        ),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url="https://kinesis"),
            "Kinesis can't be reached in region eu-west-1 (Could not connect to the endpoint URL:"
            ' "https://kinesis"); check --region and the network.',
        ),
        (
            botocore.exceptions.ConnectTimeoutError(endpoint_url="https://kinesis"),
            "Kinesis can't be reached in region eu-west-1 (Connect timeout on endpoint URL:"
            ' "https://kinesis"); check --region and the network.',
        ),
        (
            botocore.exceptions.ReadTimeoutError(endpoint_url="https://kinesis"),
            "Kinesis can't be reached in region eu-west-1 (Read timeout on endpoint URL:"
            ' "https://kinesis"); check --region and the network.',
        ),
        (
            botocore.exceptions.CredentialRetrievalError(provider="process", error_msg="no\nsuch command"),
            "AWS can't be used with these credentials and settings: Error when retrieving credentials from process:"
            " no such command.",
        ),
    ],
)
def test_what_keeps_aws_from_answering_is_told_in_one_sentence(error, sentence):
    """Each refusal and each failure on the way is one line that says what to look at."""
    with pytest.raises(ConfigError) as caught:
        look(error)
    assert str(caught.value) == sentence


def test_missing_credentials_are_told_with_the_ways_to_give_them():
    """Without any credentials nothing is asked of AWS."""
    with pytest.raises(ConfigError, match=r"^No AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        Aws("eu-west-1", {}).check_stream("flow-logs")


def test_half_a_pair_of_credentials_is_told(monkeypatch):
    """A key without its secret is a mistake, not a crash at the first signature."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    with pytest.raises(ConfigError, match=r"Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY\.$"):
        Aws("eu-west-1", {"AWS_ACCESS_KEY_ID": "AKIA"}).check_stream("flow-logs")


@pytest.mark.parametrize(
    ("error", "denied"),
    [
        (refusal("UnauthorizedOperation"), True),
        (refusal("AccessDeniedException"), True),
        (refusal("RequestLimitExceeded"), False),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="https://ec2"), False),
    ],
)
def test_only_a_missing_permission_is_a_denial(error, denied):
    """Throttling and an unreachable service pass by themselves; a missing permission does not."""
    assert isinstance(error, AWS_ERRORS)
    assert is_denied(error) is denied


class FakeSts:
    """Answers as STS, and notes what it was asked."""

    def __init__(self):
        self.asked = []

    def get_caller_identity(self):
        self.asked.append("who")
        return {"Account": "111111111111"}

    def assume_role(self, **asked):
        self.asked.append(asked)
        return {"Credentials": {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t"}}


class Forgetful(FakeSts):
    def get_caller_identity(self):
        raise botocore.exceptions.EndpointConnectionError(endpoint_url="https://sts")


def ours(monkeypatch, sts):
    aws = Aws("eu-west-1", KEYS)
    monkeypatch.setattr(aws, "client", lambda service: sts)
    return aws


def keys_of(client):
    return client._request_signer._credentials.access_key


def test_ec2_of_the_own_account(monkeypatch):
    """The own credentials, in the region that is asked for; the account is asked for once."""
    sts = FakeSts()
    aws = ours(monkeypatch, sts)

    (account, ec2), _ = aws.ec2("us-west-2"), aws.ec2("eu-west-1")

    assert (account, ec2.meta.region_name, keys_of(ec2)) == ("111111111111", "us-west-2", "AKIA")
    assert sts.asked == ["who"]


def test_ec2_of_a_role(monkeypatch):
    """The role is assumed anew each time, as its session ends; its account is in its name."""
    sts = FakeSts()
    aws = ours(monkeypatch, sts)
    role = "arn:aws:iam::222222222222:role/path/inventory"

    (account, ec2), _ = aws.ec2("us-west-2", role), aws.ec2("us-west-2", role)

    assert (account, ec2.meta.region_name, keys_of(ec2)) == ("222222222222", "us-west-2", "ASIA")
    assert sts.asked == [{"RoleArn": role, "RoleSessionName": "kcl-flowlog"}] * 2


def test_an_own_account_that_can_not_be_told_is_no_obstacle(monkeypatch):
    """Only a preference among formats needs it."""
    account, _ = ours(monkeypatch, Forgetful()).ec2("us-west-2")
    assert account == ""


@pytest.mark.parametrize("arn", ["", "inventory", "arn:aws:iam::1:role/r", "arn:aws:sts::222222222222:role/r"])
def test_what_is_no_role_is_told(arn):
    """One sentence names the flag and the form."""
    with pytest.raises(
        ConfigError, match=r"^--inventory-role .* is not of the form arn:aws:iam::123456789012:role/NAME"
    ):
        role_account(arn)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_roles_of_every_partition(partition):
    """China and GovCloud have ARNs of their own."""
    assert role_account(f"arn:{partition}:iam::222222222222:role/r") == "222222222222"


def test_a_region_that_aws_has_not_is_told():
    """As for the stream's region, but with the flag's own name."""
    assert check_region("--inventory-region", "eu-west-1") == "eu-west-1"
    with pytest.raises(ConfigError, match=r"^--inventory-region: AWS has no region .middle-earth."):
        check_region("--inventory-region", "middle-earth")
