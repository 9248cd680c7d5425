"""AWS clients, and a check of the stream before anything starts.

The home of boto3: whoever needs AWS gets a client from here. What the user can
correct is a `ConfigError`; other methods raise `aws_errors.AWS_ERRORS`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import botocore.config
import botocore.exceptions

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_errors import (
    AWS_ERRORS,
    error_code,
    has_invalid_credentials,
    is_denied,
    is_not_found,
    is_throttled,
    is_unreachable,
    one_line,
    what_to_check,
)
from kcl_flowlog.inventory.aws_settings import role_account
from kcl_flowlog.inventory.credentials import find_identity
from kcl_flowlog.inventory.identity import Identity, Keys
from kcl_flowlog.inventory.sessions import make_session
from kcl_flowlog.inventory.stream import Stream
from kcl_flowlog.inventory.sts import CLIENT_SETTINGS, RoleKeys, Sts
from kcl_flowlog.inventory.way_out import WayOut, find_way_out, service_endpoints

log = logging.getLogger(__name__)

# Patient with throttling; `make_session` sees to it that a dead network takes two attempts at most.
_CLIENT_SETTINGS = {"retries": {"mode": "standard", "total_max_attempts": 6}, "connect_timeout": 4, "read_timeout": 30}
# At the start somebody waits for the sentence about a network or a proxy that does not answer.
_CHECK_SETTINGS = {"retries": {"mode": "standard", "total_max_attempts": 2}, "connect_timeout": 4, "read_timeout": 6}
BRIEFLY = {"retries": {"total_max_attempts": 2}, "connect_timeout": 3, "read_timeout": 5}
"""The settings of clients whose callers try again soon."""

_FOREIGN = (
    "{stream} is no stream of the account of the credentials, and the KCL would look there for a stream of that name;"
    " set --stream-role to a role of the account of the stream."
)


class StreamIdentity(NamedTuple):
    """What tells a stream from another of the same name: its ARN, and when it was created, in whole Unix seconds.

    `created_at` is None if nothing may tell it.
    """

    arn: str
    created_at: int | None


class Aws:
    """Clients with the credentials of `environ`. `find` finds them, `make_session` makes boto3's sessions."""

    def __init__(
        self,
        region: str,
        environ: Mapping[str, str],
        make_session: Callable[[str, Callable[[], Keys]], Any] = make_session,
        find: Callable[[str, Mapping[str, str]], Identity] = find_identity,
    ) -> None:
        self.region = region
        self._environ = environ
        self._make_session = make_session
        self._find = find
        self._sts = Sts(lambda: self.client("sts", **CLIENT_SETTINGS))

    @cached_property
    def identity(self) -> Identity:
        """The credentials, found once. Raises `ConfigError`, within 20 s, if none is found."""
        return self._find(self.region, self._environ)

    def client(self, service: str, **settings: Any) -> Any:
        """Return a client for a service in the region; `settings` are botocore's, and replace the defaults."""
        return _client(self._session, service, self.region, **settings)

    def account_id(self) -> str:
        """Return the account of the credentials, or an empty text if AWS does not tell."""
        return self.identity.keys().account_id or self._sts.account_id()

    def ec2(self, region: str, role: str = "") -> tuple[str, Any]:
        """Return an account id and an EC2 client: of the credentials, or of a role to assume.

        Raises `AWS_ERRORS`, also if the role can't be assumed.
        """
        if not role:
            return self.account_id(), _client(self._session, "ec2", region)
        return role_account(role), _client(self._role_session(role), "ec2", region)

    def _role_session(self, role: str) -> Any:
        keys = RoleKeys(self._sts, role)
        keys()
        return self._make_session(self.region, keys)

    def way_out(self, services: Iterable[str], endpoints: Iterable[str] = ()) -> WayOut:
        """Return the way to these services and endpoints. Needs no credentials. Raises `ConfigError`."""
        return find_way_out([*service_endpoints(self.region, services), *endpoints])

    def check_stream(self, stream: Stream) -> StreamIdentity | None:
        """Describe the stream once, so that a mistake of the user is found at the start. Raises `ConfigError`.

        Asks as the daemon does, by the name. Return the identity of the stream, or None if nothing tells it.
        """
        try:
            session = self._stream_session(stream)
            found = self._describe(session, stream.name)
        except AWS_ERRORS as error:
            if not is_denied(error):
                raise ConfigError(self._explain(error, stream)) from error
            # The daemon works without this permission; if it misses others, its own log says so.
            log.warning(
                "Missing permission; the stream is not checked",
                extra={"fields": {"action": "kinesis:DescribeStreamSummary", "stream": str(stream)}},
            )
            if not stream.arn:
                return None
            is_certain = bool(stream.role) or self.account_id() == stream.account
            found = StreamIdentity(stream.arn if is_certain else "", None)
        if stream.arn not in ("", found.arn):
            raise ConfigError(_FOREIGN.format(stream=stream))
        return found

    def shard_counter(self, stream: Stream) -> Callable[[], int]:
        """Return a function that asks Kinesis for the number of the stream's open shards; it raises `AWS_ERRORS`."""
        kinesis = self.kinesis(stream)
        return lambda: int(
            kinesis.describe_stream_summary(StreamName=stream.name)["StreamDescriptionSummary"]["OpenShardCount"]
        )

    def kinesis(self, stream: Stream) -> Any:
        """Return a client for the account of the stream. Raises `ConfigError` if its role can't be assumed."""
        return _client(self._stream_session(stream), "kinesis", self.region, **BRIEFLY)

    def _stream_session(self, stream: Stream) -> Any:
        if not stream.role:
            return self._session
        try:
            return self._role_session(stream.role)
        except AWS_ERRORS as error:
            raise ConfigError(
                f"Cannot assume {stream.role}: {one_line(error)} Check --stream-role, the trust policy of the role and"
                " the permission sts:AssumeRole."
            ) from error

    def _describe(self, session: Any, name: str) -> StreamIdentity:
        try:
            client = _client(session, "kinesis", self.region, **_CHECK_SETTINGS)
            answer = client.describe_stream_summary(StreamName=name)
        except AWS_ERRORS as error:
            if not is_throttled(error):
                raise
            # A whole fleet that starts is no mistake of the user.
            answer = _client(session, "kinesis", self.region).describe_stream_summary(StreamName=name)
        summary = answer["StreamDescriptionSummary"]
        return StreamIdentity(summary["StreamARN"], int(summary["StreamCreationTimestamp"].timestamp()))

    def _explain(self, error: Exception, stream: Stream) -> str:
        if is_not_found(error):
            if stream.arn and not stream.role and self.account_id() != stream.account:
                return _FOREIGN.format(stream=stream)
            return f"Stream {stream} does not exist in {self.region}; check --stream and --region."
        if has_invalid_credentials(error):
            return f"AWS rejects the credentials ({error_code(error)}); renew or correct them."
        if is_unreachable(error):
            return f"Cannot reach Kinesis in {self.region} ({one_line(error)[:-1]}); check {what_to_check(error)}."
        if isinstance(error, botocore.exceptions.ClientError):
            return f"Cannot describe stream {stream} in {self.region}: {one_line(error)} Try again later."
        return f"Invalid AWS settings: {one_line(error)} Check the variables AWS_… and ~/.aws/config."

    @cached_property
    def _session(self) -> Any:
        return self._make_session(self.region, self.identity.keys)


def _client(session: Any, service: str, region: str, **settings: Any) -> Any:
    config = botocore.config.Config(**{**_CLIENT_SETTINGS, **settings})
    return session.client(service, region_name=region, config=config)
