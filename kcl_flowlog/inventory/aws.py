"""AWS clients for the launcher: credentials, the region, and a first look at the stream.

The home of boto3; what needs AWS gets a client from here. The daemon has its
own AWS library, which reads other variables: `daemon_environment` gives both
the same credentials and region. What a user can mend is a `ConfigError`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from kcl_flowlog.errors import ConfigError

log = logging.getLogger(__name__)

# Names that flowlog-exporter reads, which this succeeds; taken over where the modern ones are not set.
OLD_NAMES = {"AWS_ACCESS_KEY": "AWS_ACCESS_KEY_ID", "AWS_SECRET_KEY": "AWS_SECRET_ACCESS_KEY"}
_CREDENTIALS = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
}
_REGION_NAMES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
_BAD_CREDENTIALS = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "ExpiredTokenException",
    "ExpiredToken",
    "AuthFailure",
)
_UNREACHABLE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)


def with_old_names(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the variable names of flowlog-exporter taken over."""
    taken = {new: environ[old] for old, new in OLD_NAMES.items() if environ.get(old) and not environ.get(new)}
    return {**environ, **taken}


def resolve_region(asked: str, environ: Mapping[str, str]) -> str:
    """Return the region: as asked, or by the environment, or by the profile.

    Raises `ConfigError` where there is none, or one that AWS can't have.
    """
    region = asked or next((environ[name] for name in _REGION_NAMES if environ.get(name)), "")
    try:
        session = boto3.Session(region_name=region or None)
    except botocore.exceptions.BotoCoreError as error:
        raise ConfigError(f"AWS can't be used with these settings: {_sentence(error)}") from error
    if not session.region_name:
        raise ConfigError("No AWS region: name it with --region REGION or AWS_REGION.")
    try:
        session.get_partition_for_region(session.region_name)
    except botocore.exceptions.UnknownRegionError:
        raise ConfigError(
            f"AWS has no region {session.region_name!r}; name yours with --region, such as eu-central-1."
        ) from None
    return str(session.region_name)


def check_region(flag: str, region: str) -> str:
    """Return a region that AWS has. Raises `ConfigError` for any other, named by its flag."""
    try:
        boto3.Session().get_partition_for_region(region)
    except botocore.exceptions.UnknownRegionError:
        raise ConfigError(f"{flag}: AWS has no region {region!r}; name one such as eu-central-1.") from None
    return region


def role_account(arn: str) -> str:
    """Return the account of a role. Raises `ConfigError` for what is no role's ARN."""
    match = re.fullmatch(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/[\w+=,.@/-]+", arn)
    if match is None:
        raise ConfigError(f"--inventory-role {arn!r} is not of the form arn:aws:iam::123456789012:role/NAME.")
    return match[1]


def daemon_environment(environ: Mapping[str, str], region: str) -> dict[str, str]:
    """Return the environment for the daemon, with the region under each name that is read."""
    return {**environ, **dict.fromkeys(_REGION_NAMES, region)}


class Aws:
    """Clients of one region."""

    def __init__(self, region: str, environ: Mapping[str, str]) -> None:
        self.region = region
        # Half a pair is left to boto3, which says what is missing.
        whole = all(environ.get(name) for name in OLD_NAMES.values())
        given = {argument: environ.get(name) for argument, name in _CREDENTIALS.items()} if whole else {}
        self._session = boto3.Session(region_name=region, **given)
        self._account_id = ""

    def client(self, service: str, **settings: Any) -> Any:
        """Return a boto3 client of the own account and region; `settings` are botocore's, over ours."""
        return self._client(self._session, service, self.region, **settings)

    @staticmethod
    def _client(session: Any, service: str, region: str, **given: Any) -> Any:
        """Return a client that is patient with throttling, but not with a dead network."""
        settings = botocore.config.Config(
            **{"retries": {"mode": "standard", "max_attempts": 5}, "connect_timeout": 5, "read_timeout": 30, **given}
        )
        return session.client(service, region_name=region, config=settings)

    def account_id(self) -> str:
        """Return the own account, empty where it can't be told. Asks AWS until it knows."""
        if not self._account_id:
            try:
                self._account_id = str(self.client("sts").get_caller_identity()["Account"])
            except AWS_ERRORS as error:
                log.debug("The own account is not known: %s", error)
        return self._account_id

    def ec2(self, region: str, role: str = "") -> tuple[str, Any]:
        """Return an account id and an EC2 client for it: the own one, or that of a role to assume.

        Raises one of `AWS_ERRORS`. A role's session lasts for an hour, so a
        client is good for one reading.
        """
        if not role:
            return self.account_id(), self._client(self._session, "ec2", region)
        answer = self.client("sts").assume_role(RoleArn=role, RoleSessionName="kcl-flowlog")
        keys = answer["Credentials"]
        session = boto3.Session(
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        return role_account(role), self._client(session, "ec2", region)

    def check_stream(self, stream: str) -> None:
        """Look at the stream once, so that a mistake is told at the start and in a sentence."""
        try:
            if self._session.get_credentials() is None:
                raise ConfigError(
                    "No AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the"
                    " task, pod or instance a role."
                )
            self.client("kinesis").describe_stream_summary(StreamName=stream)
        except botocore.exceptions.ClientError as error:
            self._explain(error.response["Error"]["Code"], stream, error)
        except _UNREACHABLE as error:
            raise ConfigError(
                f"Kinesis can't be reached in region {self.region} ({error}); check --region and the network."
            ) from error
        except botocore.exceptions.BotoCoreError as error:
            raise ConfigError(f"AWS can't be used with these credentials and settings: {_sentence(error)}") from error

    def _explain(self, code: str, stream: str, error: Exception) -> None:
        if code == "ResourceNotFoundException":
            raise ConfigError(
                f"There is no stream {stream!r} in region {self.region}; check --stream and --region."
            ) from error
        if code in _BAD_CREDENTIALS:
            raise ConfigError(f"AWS does not accept these credentials ({code}); renew or correct them.") from error
        if code in _DENIED:
            # The daemon can do without it; what it can't do without, its own log will say.
            log.warning("Not permitted: kinesis:DescribeStreamSummary; going on without a look at the stream.")
            return
        raise ConfigError(f"Kinesis refuses to describe the stream {stream!r}: {_sentence(error)}") from error


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") + "."


def is_denied(error: Exception) -> bool:
    """Say whether AWS refused for want of a permission."""
    return _code(error) in _DENIED


def is_failed_condition(error: Exception) -> bool:
    """Say whether DynamoDB did not write because a row is not as it was expected to be."""
    return _code(error) == "ConditionalCheckFailedException"


def is_missing_table(error: Exception) -> bool:
    """Say whether DynamoDB has no such table."""
    return _code(error) == "ResourceNotFoundException"


def _code(error: Exception) -> str:
    if isinstance(error, botocore.exceptions.ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def is_unknown_parameter(error: Exception) -> bool:
    """Say whether the installed AWS library is older than a parameter."""
    return isinstance(error, botocore.exceptions.ParamValidationError)


AWS_ERRORS = (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError)
"""What a call of a client raises when AWS refuses or can't be reached."""
