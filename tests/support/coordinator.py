"""A table of coordinator state in memory, with the conditions of the real table, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import botocore.exceptions
from moto import mock_aws

FAILED = botocore.exceptions.ClientError({"Error": {"Code": "InternalServerError", "Message": "Try again."}}, "GetItem")
DENIED = botocore.exceptions.ClientError(
    {"Error": {"Code": "AccessDeniedException", "Message": "Not authorized to perform dynamodb:GetItem."}}, "GetItem"
)


@contextmanager
def dynamodb() -> Iterator[Any]:
    """Yield a client of a DynamoDB in this process, without tables."""
    with mock_aws():
        yield boto3.client(
            "dynamodb", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
        )


def never(_: float) -> bool:
    """Wait for nothing; no stop is requested."""
    return False


class Failing:
    """Raises each of `errors` once before the calls to go on."""

    def __init__(self, client: Any, method: str, *errors: Exception) -> None:
        self._errors = list(errors)
        self._call: Callable[..., Any] = getattr(client, method)
        setattr(client, method, self)

    def __call__(self, **request: Any) -> Any:
        if self._errors:
            raise self._errors.pop(0)
        return self._call(**request)
