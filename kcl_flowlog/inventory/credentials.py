"""Finds the AWS credentials of this instance, wherever boto3 finds them, within 20 s.

Environment, profiles (keys, SSO, login, process, role chains), web identity, container and instance: all are botocore's
work. A failure is a `ConfigError` that tells the reason and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory import sessions
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_unreachable, one_line
from kcl_flowlog.inventory.aws_settings import OLD_NAMES
from kcl_flowlog.inventory.identity import REFRESH_PATIENCE, Identity
from kcl_flowlog.inventory.one_call import OneCall

_ID, _SECRET = OLD_NAMES.values()
_WHERE = "the variables AWS_…, ~/.aws/config and ~/.aws/credentials"


def find_identity(
    region: str,
    environ: Mapping[str, str],
    find_source: Callable[[str], Any] = sessions.find_source,
    patience: float = REFRESH_PATIENCE,
) -> Identity:
    """Return the identity that the environment names. Raises `ConfigError`."""

    def find() -> Identity | None:
        source = _source(region, environ, find_source)
        # The first keys are part of it: botocore defers SSO and roles until somebody asks for keys.
        return Identity(source) if source is not None else None

    try:
        identity = OneCall().within(patience, find)
    except (*AWS_ERRORS, OSError, ValueError, RuntimeError) as error:
        raise ConfigError(_explain(error)) from error
    if identity is None:
        raise ConfigError(
            "No AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the"
            " task, pod or instance a role."
        )
    return identity


def _source(region: str, environ: Mapping[str, str], find_source: Callable[[str], Any]) -> Any:
    # An incomplete pair of keys is left to botocore, which says what is missing.
    if environ.get(_ID) and environ.get(_SECRET):
        return sessions.fixed_source(environ[_ID], environ[_SECRET], environ.get("AWS_SESSION_TOKEN") or None)
    return find_source(region)


def _explain(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"The source of the AWS credentials gave {error}; check {_WHERE}."
    if is_unreachable(error):
        return f"Cannot reach the source of the AWS credentials ({error}); check {_WHERE}, and the network."
    return f"Cannot get AWS credentials: {one_line(error)} Check {_WHERE}."
